# Shared: the original is bundles/pretrain_ssl/scripts/volumes.py (see tools/vendor.py).
"""Image volumes on disk: which ones a folder holds, and whether each can be used."""

import json
import logging
import os
import warnings
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from monai.data import NibabelReader, NibabelWriter, load_decathlon_datalist, partition_dataset

from .command_line import InputError
from .run_folder import replacing

logger = logging.getLogger(__name__)

NIFTI_ENDINGS = (".nii", ".nii.gz")
AIR_BELOW_HU = -300.0  # every CT shows some air or lung; images without are probably not in HU


def find_images(dataset_dir: str) -> list[str]:
    """NIfTI images of a folder and its sub-folders, sorted; or the one file that was given.

    Folders named `label…` and files named `label…` or `…_seg.nii.gz` hold labels and are left
    out, as are hidden files (macOS archives carry `._` doubles).

    Raises:
        InputError: the folder does not exist or holds no NIfTI image.
    """
    root = Path(dataset_dir)
    if root.is_file():
        return [str(root)]
    if not root.is_dir():
        raise InputError(
            f"dataset_dir {root} does not exist; give a folder or file by --dataset_dir."
        )
    found = [
        Path(folder, name)
        for folder, _, names in os.walk(root)
        for name in names
        if name.endswith(NIFTI_ENDINGS) and not name.endswith(("_seg.nii", "_seg.nii.gz"))
    ]
    images = [
        str(path)
        for path in sorted(found)
        if not any(part.startswith(("label", ".")) for part in path.relative_to(root).parts)
    ]
    if not images:
        raise InputError(
            f"dataset_dir {root} holds no image (*.nii, *.nii.gz); check --dataset_dir."
        )
    return images


def read_datalist(datalist: str, dataset_dir: str, section: str, is_labelled: bool) -> list[dict]:
    """One section of a Decathlon datalist, its paths made absolute from `dataset_dir`.

    A section that is absent is an empty list.

    Raises:
        InputError: the file is missing or is not a datalist.
    """
    if not Path(datalist).is_file():
        raise InputError(f"datalist {datalist} does not exist; check --datalist.")
    try:
        if not json.loads(Path(datalist).read_text()).get(section):
            return []
        items = load_decathlon_datalist(datalist, is_labelled, section, dataset_dir)
        lacking = [item for item in items if "image" not in item]
        if lacking:
            raise ValueError(f"{lacking[0]} has no `image`")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"datalist {datalist} cannot be read: {error}; mend it.") from error
    return items


def images(dataset_dir: str, datalist: str | None, channels: int = 1) -> list[dict]:
    """Images for inference, `{"image": path}`: a folder's, or all sections of a datalist.

    Raises:
        InputError: there is none, or one cannot be used.
    """
    if not datalist:
        paths = find_images(dataset_dir)
    else:
        sections = ("training", "validation", "test")
        lists = [read_datalist(datalist, dataset_dir, name, is_labelled=False) for name in sections]
        paths = [item["image"] for items in lists for item in items]
    if not paths:
        raise InputError(f"datalist {datalist} lists no image; add some.")
    return [{"image": check_header(path, channels)} for path in paths]


def root(dataset_dir: str) -> str:
    """The folder whose sub-folders the predictions mirror: `dataset_dir`, or its one file's."""
    return str(Path(dataset_dir).parent if Path(dataset_dir).is_file() else dataset_dir)


def unlabelled_split(
    dataset_dir: str, datalist: str | None, validation_fraction: float, seed: int
) -> dict[str, list[dict]]:
    """Images for pre-training and for its validation, as `{"image": path, "index": number}`.

    From the datalist's sections `training` and `validation` where it has them; otherwise a seeded
    share is held out, at least one image and not all. A single image serves both, with a warning.
    """
    if datalist:
        training = read_datalist(datalist, dataset_dir, "training", is_labelled=False)
        validation = read_datalist(datalist, dataset_dir, "validation", is_labelled=False)
    else:
        training, validation = [{"image": path} for path in find_images(dataset_dir)], []
    if not training:
        raise InputError(f"datalist {datalist} has no `training` images; add some.")
    if not validation and len(training) > 1:
        held_out = min(max(1, round(validation_fraction * len(training))), len(training) - 1)
        ratios = [len(training) - held_out, held_out]
        training, validation = partition_dataset(training, ratios, shuffle=True, seed=seed)
    if not validation:
        warnings.warn("only one image: it is used for training and for validation", stacklevel=2)
        validation = training
    items = {"training": training, "validation": validation}
    return {
        name: [{"image": check_header(item["image"]), "index": i} for i, item in enumerate(part)]
        for name, part in items.items()
    }


def check_header(path: str, channels: int = 1) -> str:
    """The path of a 3D volume (4D when `channels` > 1), once its header has been found usable.

    Raises:
        InputError: unreadable, of another shape, or without a usable affine.
    """
    try:
        header = nib.load(path)
        shape, affine = header.shape, header.affine
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; remove it from the datalist.") from error
    except Exception as error:  # nibabel raises a different kind for each way of being broken
        raise InputError(f"{path} cannot be read as an image; replace or remove it.") from error
    found = shape[3] if len(shape) == 4 else 1
    if len(shape) not in (3, 4) or found != channels or min(shape) < 1:
        expected = "a 3D volume" if channels == 1 else f"4D with {channels} channels last"
        raise InputError(f"{path} has shape {shape}, expected {expected}; convert or remove it.")
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-6:
        raise InputError(f"{path} has a singular affine; repair its header or remove it.")
    return path


class VolumeReader(NibabelReader):
    """`LoadImaged`'s NIfTI reader, which names the file when its voxels cannot be used.

    Args:
        modality: "CT" warns about an image that does not look like Hounsfield units; "label" and
            "MRI" have no such scale.

    Raises:
        InputError: truncated or unreadable, or not one finite voxel. A few voxels that are not
            finite become the smallest finite value, with a warning.
    """

    def __init__(self, modality: str = "CT") -> None:
        super().__init__()
        self.modality = modality

    def _get_array_data(self, img, filename) -> np.ndarray:
        try:
            data = np.asanyarray(img.dataobj)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise InputError(
                f"{filename} is cut short or damaged; replace or remove it."
            ) from error
        if data.dtype.kind == "f":
            data = self._finite(data, filename)
        if self.modality == "CT" and data.min() > AIR_BELOW_HU:
            warnings.warn(
                f"{filename}: values from {data.min():g} to {data.max():g} do not look like "
                "Hounsfield units (air is near -1000); check its rescale slope and intercept.",
                stacklevel=2,
            )
        return data

    @staticmethod
    def _finite(data: np.ndarray, filename: str) -> np.ndarray:
        is_finite = np.isfinite(data)
        if is_finite.all():
            return data
        if not is_finite.any():
            raise InputError(f"{filename} holds no finite voxel (all NaN); replace or remove it.")
        warnings.warn(f"{filename}: {np.sum(~is_finite)} voxels are not finite", stacklevel=3)
        return np.where(is_finite, data, data[is_finite].min())


class VolumeWriter(NibabelWriter):
    """`SaveImaged`'s NIfTI writer; a file is complete or absent, whenever the process is killed."""

    def set_metadata(self, meta_dict=None, resample: bool = False, **options) -> None:
        """Take the affine as it is: what is saved has been brought to the image's grid before.

        MONAI's own method resamples even then, and fails on axes that are permuted.
        """
        _, self.affine, _ = self.get_meta_info(meta_dict)

    def write(self, filename, verbose: bool = False, **kwargs) -> None:
        """Write beside the target under a temporary name, then rename; with `verbose`, say so."""
        with replacing(filename) as temporary:
            super().write(temporary, verbose=False, **kwargs)
        if verbose:
            logger.info(f"written: {filename}")
