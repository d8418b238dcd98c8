# generated from common/data/volume_cache.py, do not edit: `make copies`
"""Keeps preprocessed volumes in memory, or on disk where they do not fit."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from monai.data import CacheDataset, Dataset, PersistentDataset
from monai.transforms import Compose

from ..atomic_write import check_writable, save_atomically
from ..errors import InputError
from ..runtime.distributed import local_world_size, rank
from .cache_key import key_of_files, key_of_transforms
from .nifti_header import open_nifti
from .seeded_dataset import SeededCacheDataset, SeededDraws

logger = logging.getLogger(__name__)
BYTES = 4  # of a preprocessed voxel, float32


class DiskCacheDataset(PersistentDataset):
    """Caches preprocessed volumes on disk, apart from other images and transforms.

    Args:
        data: items `{"image": path, "label": path}`.
        transform: the steps before the first random transform are kept.
        cache_dir: folder of the files, made where it is missing.
    """

    def __init__(self, data: Sequence[dict], transform: Compose, cache_dir: Path) -> None:
        super().__init__(data, transform, cache_dir, track_meta=True, weights_only=False)
        self.transform_hash = key_of_transforms(transform)

    def file_of(self, item: dict) -> Path:
        """Names the file of an item."""
        return self.cache_dir / f"{key_of_files(item)}_{self.transform_hash}.pt"

    def _cachecheck(self, item_transformed: dict) -> dict:
        """Reads a preprocessed item, or makes and saves it.

        A damaged file, or one that other versions of packages wrote, is made anew.
        """
        path = self.file_of(item_transformed)
        if path.is_file():
            try:
                return torch.load(path, weights_only=False)
            except (RuntimeError, EOFError, UnpicklingError, OSError):
                logger.warning(f"{path} is damaged, and is made anew")
            except (ImportError, AttributeError, TypeError, ValueError, LookupError) as error:
                reason = f"{type(error).__name__}: {error}".partition("\n")[0]
                logger.warning(
                    f"{path} was written by other versions of NumPy, PyTorch or MONAI ({reason}), "
                    "and is made anew"
                )
        item = self._pre_transform(dict(item_transformed))
        save_atomically(item, path, "make room, or name another folder by --cache_dir")
        return item


class SeededDiskCacheDataset(SeededDraws, DiskCacheDataset):
    """Keeps preprocessed volumes on disk, and draws as `SeededCacheDataset` does."""

    def __init__(self, data: Sequence[dict], transform: Compose, cache_dir: Path, seed: int):
        super().__init__(data, transform, cache_dir)
        self.seed = seed


class VolumeCache:
    """Decides for each data set of a run whether memory takes its preprocessed volumes.

    Args:
        gb: memory for them in GB (10^9 bytes), for all data sets and all processes of this machine
            together. With 0 no volume is kept, neither in memory nor on disk.
        cache_dir: folder for the volumes of data sets that do not fit.
        spacing_mm: of the preprocessed volumes.
        channels: of an image.
    """

    def __init__(
        self, gb: float, cache_dir: str, spacing_mm: Sequence[float], channels: int = 1
    ) -> None:
        self.gb, self.gb_left, self.cache_dir = gb, float(gb), Path(cache_dir)
        self.spacing_mm, self.channels = spacing_mm, channels

    def dataset(self, data: Sequence[dict], transform: Compose, seed: int | None = None) -> Dataset:
        """Makes a data set, and says in one line where its preprocessed volumes are kept.

        Args:
            data: items `{"image": path, "label": path}`.
            transform: of the items.
            seed: of the draws; None where nothing is drawn.

        Raises:
            InputError: neither memory nor disk has room, or `cache_dir` cannot be written.
        """
        sizes_gb = [self._expected_gb(item["image"]) for item in data] if self.gb else []
        in_memory_gb = sum(sizes_gb) * local_world_size()
        if in_memory_gb <= self.gb_left:
            self.gb_left -= in_memory_gb
            rate = float(self.gb > 0)
            if rate and rank() == 0:
                logger.info(f"{len(data)} volumes are kept in memory, up to {in_memory_gb:.3g} GB")
            if seed is None:
                return CacheDataset(data, transform, cache_rate=rate)
            return SeededCacheDataset(data, transform, seed, rate)
        check_writable(folders=[self.cache_dir])
        if seed is None:
            dataset = DiskCacheDataset(data, transform, self.cache_dir)
        else:
            dataset = SeededDiskCacheDataset(data, transform, self.cache_dir, seed)
        if rank() == 0:
            missing = [not dataset.file_of(item).is_file() for item in data]
            self._check_disk(len(data), in_memory_gb, sum(np.array(sizes_gb)[missing]))
        return dataset

    def _expected_gb(self, path: str) -> float:
        """Computes from a header the largest size of the preprocessed image and its label.

        Cropping to the body makes it less, which only the voxels can tell.
        """
        volume = open_nifti(path, self.channels)
        image_mm3 = np.prod(volume.image.shape[:3]) * abs(np.linalg.det(volume.affine[:3, :3]))
        return image_mm3 / np.prod(self.spacing_mm) * (self.channels + 1) * BYTES / 1e9

    def _check_disk(self, count: int, in_memory_gb: float, missing_gb: float) -> None:
        free_gb = shutil.disk_usage(self.cache_dir).free / 1e9
        text = (
            f"{count} volumes would take up to {in_memory_gb:.3g} GB of memory, more than the "
            f"{self.gb_left:.3g} GB left of --cache_gb {self.gb:g}"
        )
        if missing_gb > free_gb:
            raise InputError(
                f"{text}, and up to {missing_gb:.3g} GB in {self.cache_dir}, where "
                f"{free_gb:.3g} GB are free; name another folder by --cache_dir, or raise "
                "--cache_gb."
            )
        logger.info(
            f"{text}: they are kept in {self.cache_dir}, which has {free_gb:.3g} GB free and takes "
            f"up to {missing_gb:.3g} GB more"
        )
