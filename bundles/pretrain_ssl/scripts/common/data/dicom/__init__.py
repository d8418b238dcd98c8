# generated from common/data/dicom/__init__.py, do not edit: `make copies`
"""Reads DICOM series; needs pydicom and python-gdcm, which nothing else here does."""
