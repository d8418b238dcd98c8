"""Finds the crops whose voxels fill the boxes that are cut out of others."""

from collections.abc import Mapping

from torch import Tensor

from .heads import gathered

# Donors come from a crop's group of four, the paper's batch of one GPU. So the processes exchange
# crops only where a group reaches from one to another, in batches that are no multiple of four.
DONOR_GROUP = 4


def find_donors(images: Tensor, batchdata: Mapping[str, Tensor]) -> tuple[Tensor, int, int]:
    """Gathers the crops that fill a batch's dropped voxels.

    Args:
        images: (B, C, X, Y, Z) of this process.
        batchdata: has `place` where the batch is a part of a larger, see `ResumableDataLoader`.

    Returns:
        (N, C, X, Y, Z), the index in it of the first of `images`, and N. Where every group of four
        lies in one process these are `images`, 0 and B.
    """
    if "place" not in batchdata or len(images) % DONOR_GROUP == 0:
        return images, 0, len(images)
    first, whole = batchdata["place"][0].tolist()
    return gathered(images), first, whole
