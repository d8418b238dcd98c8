"""Reads training crops, and splits the images."""

from .crop_transforms import OpenVolumed, RandBodyCropd
from .field_of_view import check_fields_of_view
from .split import select, split_volumes

__all__ = ["OpenVolumed", "RandBodyCropd", "check_fields_of_view", "select", "split_volumes"]
