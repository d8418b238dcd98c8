# generated from common/weights/merging_score.py, do not edit: `make copies`
"""Measures in the weights themselves which tokens patch merging saw twice during training."""

from collections.abc import Mapping
from itertools import combinations
from math import sqrt

import torch
from torch import Tensor

from ..network.patch_merging import WEIGHT

# Pairs of the eight groups of columns that saw the same tokens before 1.5.0, and all other pairs.
DUPLICATES = ((2, 5), (3, 6))
OTHERS = tuple(pair for pair in combinations(range(8), 2) if pair not in DUPLICATES)


def merging_score(tensors: Mapping[str, Tensor]) -> tuple[float | None, float]:
    """Measures how much more alike columns are that saw the same tokens before MONAI 1.5.0.

    Args:
        tensors: an encoder by SwinUNETR's names; its reductions are (2C, 8C).

    Returns:
        The score and the spread; None and 0.0 where there is no patch merging. The score is about 0
        for the current merging and 3 or more for the legacy one. A stage's score is the difference
        in mean cosine between the pairs in DUPLICATES and all others, in units of the others'
        standard deviation; the stages' sum is divided by the root of their number. The spread is
        the mean over the stages of that deviation in units of random columns' deviation; about 1
        before any training.
    """
    scores, spreads = [], []
    for name, weight in tensors.items():
        is_merging = name.endswith(f".downsample.{WEIGHT}") and weight.ndim == 2
        if not is_merging or not weight.numel() or weight.shape[1] % 8:
            continue
        groups = weight.detach().float().unflatten(1, (8, -1)).movedim(1, 0).flatten(1)  # (8, 2C C)
        groups = groups / groups.norm(dim=1, keepdim=True).clamp(min=1e-12)
        cosine = groups @ groups.T
        same = torch.stack([cosine[pair] for pair in DUPLICATES])
        others = torch.stack([cosine[pair] for pair in OTHERS])
        noise = groups.shape[1] ** -0.5  # deviation of the cosine of random columns
        deviation = max(float(others.std()), noise)
        scores.append(float(same.mean() - others.mean()) / deviation)
        spreads.append(float(others.std()) / noise)
    if not scores:
        return None, 0.0
    return sum(scores) / sqrt(len(scores)), sum(spreads) / len(spreads)
