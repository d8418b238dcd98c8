"""Checks the application's input before the SDK starts, whose own errors are tracebacks."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

from common.atomic_write import check_writable
from common.data.dicom.series_names import read_named_series, series_below
from common.data.image_folder import FoundImages, find_in_folder, may_be_dicom
from common.errors import InputError, list_first

# Tags without which the SDK drops a slice, or cannot refer to it in a DICOM segmentation
NEEDED = (
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"),
    "FrameOfReferenceUID",
)
BY_COMMAND = "segment it by `python -m monai.bundle run`"


class Series(NamedTuple):
    """Holds a DICOM series as the bundles' own reader reads it.

    Attributes:
        name: its folder, mostly.
        values: (X, Y, Z), HU.
        affine: 4x4, from voxel to patient coordinates in mm, RAS.
    """

    name: str
    values: np.ndarray
    affine: np.ndarray


def read_arguments(words: list[str]) -> tuple[Path, Path, Path]:
    """Reads input, output and model of a command line as the SDK does, which knows more options.

    Args:
        words: of the command line, without the program.
    """
    parser = ArgumentParser(add_help=False)
    for name, default in (("input", "input"), ("output", "output"), ("model", "models")):
        default = os.environ.get(f"HOLOSCAN_{name.upper()}_PATH", default)
        parser.add_argument(f"-{name[0]}", f"--{name}", type=Path, default=default)
    known, _ = parser.parse_known_args(words)
    return Path(known.input), Path(known.output), Path(known.model)


def read_one_series(folder: Path) -> Series:
    """Reads the only DICOM series of a folder.

    Args:
        folder: with the files of one CT series, also in sub-folders.

    Raises:
        InputError: there is no CT series, more than one, or other DICOM files beside it, of which
            the SDK would take the first that it meets; a volume of the slices would be a guess; a
            tag is missing that the SDK needs.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give -i the folder of a DICOM series.")
    found = find_in_folder(folder)
    names = series_below(found)
    others = found.describe() if any("series" in reason for reason in found.left_out) else ""
    if not names:
        hint = f" ({others})" if others else ""
        remedy = f", or {BY_COMMAND} if it is no DICOM" if found.images else ""
        raise InputError(
            f"{folder} holds no CT series of DICOM files{hint}; give -i the folder of one{remedy}."
        )
    if len(names) > 1:
        raise InputError(
            f"{folder} holds {len(names)} CT series ({list_first(names, 3)}); give -i a folder "
            "with the files of one."
        )
    if others:
        raise InputError(
            f"{folder} holds other DICOM files beside the CT series ({others}); give -i a folder "
            "with the files of the series alone."
        )
    _check_tags(found)
    return Series(names[0], *read_named_series(names[0]))


def _check_tags(found: FoundImages) -> None:
    """Raises an InputError that names the first file without a tag that the SDK needs."""
    paths = (Path(found.root, f.path, name) for f in found.folders for name in sorted(f.files))
    for path in filter(may_be_dicom, paths):
        try:
            header = pydicom.dcmread(
                path, stop_before_pixels=True, specific_tags=[*NEEDED, "SeriesNumber"]
            )
        except InvalidDicomError as error:
            raise InputError(
                f"{path} lacks DICOM's preamble, and the SDK leaves such files out; write the "
                f"series anew with it, or {BY_COMMAND}."
            ) from error
        absent = [tag for tag in NEEDED if not header.get(tag)]
        if "SeriesNumber" in header and header.SeriesNumber is None:
            absent.append("SeriesNumber")
        if absent:
            raise InputError(
                f"{path} has no {', '.join(absent)}, which a DICOM segmentation refers to; add "
                f"what is missing to the series, or {BY_COMMAND}, which does without."
            )


def check_output(folder: Path) -> None:
    """Checks that results can be written.

    Raises:
        InputError: the folder is a file, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give -o a folder.")
    check_writable(folders=[str(folder)])
