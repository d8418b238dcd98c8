# generated from common/network/slice_order.py, do not edit: `make copies`
"""Converts the patch merging of other programs to the current order of its eight slices."""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from .patch_merging import CURRENT, SLICES

# Orders of other programs; they take each place once, so a permutation gives the current one.
SMIT = ("000", "100", "010", "001", "110", "011", "101", "111")
MERGINGV2 = ("000", "001", "010", "011", "100", "101", "110", "111")  # MONAI's option


def in_current_order(tensors: Mapping[str, Tensor], order: Sequence[str]) -> dict[str, Tensor]:
    """Reorders weights that merge patches in another order for the current merging.

    The result is exact: columns of the reduction (2C, 8C), and the norm's weight and bias (8C),
    change places by eighths.

    Args:
        tensors: a state dict by any names; tensors of no patch merging stay as they are.
        order: the eight places, each once, in the order of the training: `("000", "001", …)`.
    """
    eighths = [order.index(place) for place in SLICES[CURRENT]]
    return {
        name: value.unflatten(-1, (8, -1))[..., eighths, :].flatten(-2)
        if re.search(r"\bdownsample\.(reduction|norm)\.", name) and _has_eighths(value)
        else value
        for name, value in tensors.items()
    }


def _has_eighths(value: Tensor) -> bool:
    """Tells whether the last axis has eight groups; loading refuses a tensor that has none."""
    return value.ndim > 0 and value.numel() > 0 and value.shape[-1] % 8 == 0
