# generated from common/data/dicom/__init__.py, do not edit: `make copies`
"""Reads DICOM series; needs the packages pydicom and python-gdcm."""
