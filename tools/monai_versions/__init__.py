"""Compares Swin UNETR between versions of MONAI."""
