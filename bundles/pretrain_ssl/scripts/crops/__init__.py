"""Reads training crops, and splits the images."""

from .crop_transforms import OpenVolumed, RandBodyCropd
from .split import select, split_volumes

__all__ = ["OpenVolumed", "RandBodyCropd", "select", "split_volumes"]
