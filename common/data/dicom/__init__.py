"""Reads DICOM series; needs the packages pydicom and python-gdcm."""
