# generated from common/data/__init__.py, do not edit: `make copies`
"""Finds, reads and samples images."""

from .datalist import dataset_root, list_images
from .image_reader import ImageReader, Spacingd
from .nifti import VolumeReader, VolumeWriter
from .samplers import ResumableBatchSampler, ValidationBatchSampler
from .seeded_dataset import SeededCacheDataset

__all__ = [
    "ImageReader",
    "ResumableBatchSampler",
    "SeededCacheDataset",
    "Spacingd",
    "ValidationBatchSampler",
    "VolumeReader",
    "VolumeWriter",
    "dataset_root",
    "list_images",
]
