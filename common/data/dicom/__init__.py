"""Reads DICOM series; needs pydicom and python-gdcm, which nothing else here does."""
