"""Refuses settings and images of which units cannot be hidden."""

from collections.abc import Sequence

from torch import Tensor

from ...common.errors import InputError

Ratio = float | Sequence[float]


def check_units(ratio: Ratio, unit: Sequence[int]) -> None:
    """Refuses a ratio that is no share, and units that cut a token.

    Raises:
        InputError: `ratio` is not between 0 and 1, or falls from low to high; an edge of `unit` is
            odd or below 2: the encoder's first tokens have 2 voxels along an axis.
    """
    low, high = ratio if isinstance(ratio, Sequence) else (ratio, ratio)
    if not 0 < low <= high < 1:
        raise InputError(
            f"mask_ratio {ratio} is no share of the units; give one above 0 and below 1, or two, "
            "the lower first."
        )
    if any(edge < 2 or edge % 2 for edge in unit):
        raise InputError(
            f"mask_unit {list(unit)}: give even numbers of voxels, because a token of the encoder "
            "has 2 along each axis."
        )


def check_visible(image: Tensor, name: str) -> None:
    """Refuses an image with values below 0, by which the network knows hidden voxels.

    Args:
        image: of any shape, before units are hidden.
        name: of the image, for the sentence.

    Raises:
        InputError: a value is below 0.
    """
    lowest = image.min().item()
    if lowest < 0:
        raise InputError(
            f"{name} has values down to {lowest:.3g} after the transforms, and hidden voxels are "
            "known by values below 0; scale intensities to 0 to 1 and clip them, as "
            "ScaleIntensityRanged with clip does."
        )
