# generated from common/data/__init__.py, do not edit: `make copies`
"""Finds, reads and samples images."""

from .datalist import list_images
from .image_reader import ImageReader, Spacingd
from .loaders import ResumableDataLoader, ValidationDataLoader
from .msd_orientation import read_msd_orientation
from .nifti import LabelFiles, VolumeReader, VolumeWriter
from .output_names import OutputNames, dataset_root
from .seeded_dataset import SeededCacheDataset
from .volume_cache import VolumeCache

__all__ = [
    "ImageReader",
    "LabelFiles",
    "OutputNames",
    "ResumableDataLoader",
    "SeededCacheDataset",
    "Spacingd",
    "ValidationDataLoader",
    "VolumeCache",
    "VolumeReader",
    "VolumeWriter",
    "dataset_root",
    "list_images",
    "read_msd_orientation",
]
