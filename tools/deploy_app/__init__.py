"""Segments a DICOM series with MONAI Deploy: DICOM in, DICOM segmentation and NIfTI out."""
