"""Draws slices with the sides of the patient, by the header and corrected."""

from io import BytesIO
from pathlib import Path

import nibabel as nib
import numpy as np

from ..common.data.msd_orientation import turn
from ..common.data.nifti import VolumeReader
from ..common.data.nifti_header import open_nifti
from ..common.errors import InputError

WINDOWS = {"CT": (-160.0, 240.0)}  # HU, soft tissue; other modalities by their percentiles
COLUMNS = ("by the header, axial", "coronal", "--msd_orientation True, axial", "coronal")
INCHES = 2.6  # edge of a panel


def draw_orientation(
    images: list[Path], labels: list[Path | None], modality: str, channels: int
) -> bytes:
    """Draws a PNG with a row for each image: axial and coronal, by the header and corrected.

    The patient's right is at the left of a panel, front or head is up. The slices are those with
    most labelled voxels, or the middle ones. Labels are outlined.

    Args:
        images: of one task.
        labels: of each image; None: it has none.
        modality: CT or MRI.
        channels: of an image.

    Raises:
        InputError: a file cannot be used, or matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # only this command needs it
    except ImportError:
        raise InputError("this command needs matplotlib; `pip install matplotlib`.") from None
    size = (INCHES * len(COLUMNS), INCHES * len(images))
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    rows = figure.subplots(len(images), len(COLUMNS), squeeze=False)
    for row, image, label in zip(rows, images, labels):
        for column, is_corrected in ((0, False), (2, True)):
            volume, spacing_mm = read_ras(image, is_corrected, modality, channels)
            mask = read_ras(label, is_corrected, "label")[0] > 0 if label else None
            _draw_axial(row[column], volume, mask, spacing_mm, modality)
            _draw_coronal(row[column + 1], volume, mask, spacing_mm, modality)
        row[0].set_ylabel(image.name.partition(".")[0], fontsize=8)
    for axes, title in zip(rows[0], COLUMNS):
        axes.set_title(title, fontsize=8)
    png = BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def read_ras(
    path: Path, is_corrected: bool, modality: str, channels: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Reads the first channel of a volume in RAS.

    Returns:
        (X, Y, Z), and the spacing in mm along each axis.
    """
    shape = open_nifti(str(path), channels).image.shape
    reader = VolumeReader("label" if modality == "label" else "any", channels)
    values, meta = reader.get_data(reader.read(str(path)))
    values = np.asarray(values).reshape(*shape[:3], -1)[..., 0]
    affine = np.asarray(meta["affine"], dtype=np.float64)
    image = nib.Nifti1Image(values, turn(affine) if is_corrected else affine)
    image = nib.as_closest_canonical(image)
    return np.asarray(image.dataobj), np.array(image.header.get_zooms()[:3], dtype=np.float64)


def _draw_axial(axes, volume, mask, spacing_mm, modality: str) -> None:
    z = _slice_of(mask, 2, volume.shape)
    labelled = None if mask is None else mask[:, :, z]
    _draw(axes, volume[:, :, z], labelled, spacing_mm[[0, 1]], modality, ("A", "P"))


def _draw_coronal(axes, volume, mask, spacing_mm, modality: str) -> None:
    y = _slice_of(mask, 1, volume.shape)
    labelled = None if mask is None else mask[:, y]
    _draw(axes, volume[:, y], labelled, spacing_mm[[0, 2]], modality, ("S", "I"))


def _slice_of(mask: np.ndarray | None, axis: int, shape: tuple[int, ...]) -> int:
    """Returns the slice with most labelled voxels; the middle one without any."""
    if mask is None or not mask.any():
        return shape[axis] // 2
    return int(mask.sum(tuple({0, 1, 2} - {axis})).argmax())


def _draw(axes, plane, labelled, spacing_mm, modality: str, ends: tuple[str, str]) -> None:
    """Draws one slice.

    Args:
        axes: matplotlib's.
        plane: (X, V), X from left to right of the patient, V upwards.
        labelled: (X, V), or None.
        spacing_mm: along X and V.
        modality: CT or MRI.
        ends: letters at the top and at the bottom.
    """
    low, high = WINDOWS.get(modality) or np.percentile(plane, [1, 99])
    # x grows towards the patient's right, which is at the left of the picture
    picture, aspect = plane.T[:, ::-1], spacing_mm[1] / spacing_mm[0]
    axes.imshow(picture, cmap="gray", vmin=low, vmax=high, origin="lower", aspect=aspect)
    if labelled is not None and labelled.any():
        axes.contour(labelled.T[:, ::-1], [0.5], colors="#ffcc00", linewidths=0.8)
    axes.set(xticks=[], yticks=[])
    places = ((0.04, 0.5), (0.96, 0.5), (0.5, 0.95), (0.5, 0.05))
    for letter, (x, y) in zip(("R", "L", *ends), places):
        style = {"color": "#39d0ff", "ha": "center", "va": "center", "fontsize": 9}
        axes.text(x, y, letter, transform=axes.transAxes, weight="bold", **style)
