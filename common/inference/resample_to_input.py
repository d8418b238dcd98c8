"""Resamples scores from the network's grid to labels on the image's own grid."""

import logging

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform
from torch import Tensor
from torch.nn.functional import grid_sample

from ..errors import InputError
from .probability_writer import in_steps

logger = logging.getLogger(__name__)


class ResampleToInputd(MapTransform):
    """Turns scores on the network's grid into labels on the image's own grid.

    Labels are the same as by softmax, `Invertd` with linear interpolation and argmax after a
    preprocessing that turns, resamples, crops and pads. Probabilities of all classes exist on the
    network's grid, in place of the scores, and for a slab of the image's grid at a time. An image
    of which no voxel is labelled is named in the log.

    Args:
        keys: scores (classes, x, y, z); become labels (1, X, Y, Z), uint8, on the CPU.
        orig_keys: the preprocessed image, whose affine and original affine say how the grids lie.
        slab_gb: bound on the memory of one slab, in 1e9 bytes.
        probabilities: key of the item that gets the probabilities on the image's grid,
            (classes, X, Y, Z), uint8 in steps of 1/255; None makes none.

    Raises (of a call):
        InputError: a score is NaN or infinite. Argmax would call such a voxel background.
    """

    def __init__(
        self,
        keys,
        orig_keys: str = "image",
        slab_gb: float = 0.25,
        probabilities: str | None = None,
    ) -> None:
        super().__init__(keys)
        self.orig_key, self.slab_gb, self.probabilities = orig_keys, slab_gb, probabilities

    def __call__(self, data):
        data = dict(data)
        image = data[self.orig_key]
        affine = torch.as_tensor(np.asarray(image.meta["original_affine"]), dtype=torch.float64)
        shape = tuple(int(size) for size in np.asarray(image.meta["spatial_shape"])[:3])
        to_network = torch.linalg.solve(image.affine.cpu().double(), affine)
        for key in self.key_iterator(data):
            scores = data[key].as_tensor() if isinstance(data[key], MetaTensor) else data[key]
            meta = dict(image.meta) | {"affine": affine}
            _check_finite(scores, meta.get("filename_or_obj"))
            steps = None
            if self.probabilities:
                steps = torch.empty(len(scores), *shape, dtype=torch.uint8)
                data[self.probabilities] = MetaTensor(steps, meta=meta)
            labels = labels_on_grid(scores, to_network.numpy(), shape, self.slab_gb * 1e9, steps)
            data[key] = MetaTensor(labels[None], meta=meta)
            if not labels.any():
                logger.warning(f"{meta.get('filename_or_obj')}: no voxel is labelled")
        return data


def _check_finite(scores: Tensor, name: str | None) -> None:
    """Refuses scores (classes, x, y, z) with NaN or infinity, plane by plane, to save memory."""
    if not all(plane.isfinite().all() for plane in scores.unbind(1)):
        raise InputError(
            f"{name}: the network's scores hold NaN or infinity, so that nothing can be told of "
            "its labels; where mixed precision overflows, --amp False helps, else check the "
            "weights and the image."
        )


def labels_on_grid(
    scores: Tensor,
    to_network: np.ndarray,
    shape: tuple[int, int, int],
    slab_bytes: float,
    steps: Tensor | None = None,
) -> Tensor:
    """Finds the most probable class at each voxel of another grid, 0 beyond the scores.

    Args:
        scores: (classes, x, y, z); are overwritten with their softmax.
        to_network: (4, 4), voxel of the other grid to voxel of the scores' grid.
        shape: (X, Y, Z) of the other grid.
        slab_bytes: bound on the probabilities that exist on the other grid at once.
        steps: (classes, X, Y, Z), uint8; is filled with the probabilities, see `in_steps`.

    Returns:
        (X, Y, Z) uint8, on the CPU.
    """
    for plane in scores.unbind(1):
        plane.copy_(plane.softmax(0))
    thickness = max(1, int(slab_bytes / (12 * len(scores) * shape[1] * shape[2])))
    labels = torch.empty(shape, dtype=torch.uint8)
    axes = np.abs(to_network[:3, :3]).argmax(0)  # of the scores' grid, along the other's axes
    beside = to_network[:3, :3].copy()
    beside[axes, range(3)] = 0
    is_along_axes = set(axes) == {0, 1, 2} and np.abs(beside).max() * max(shape) < 0.1
    for start in range(0, shape[0], thickness):
        slab = labels[start : start + thickness]
        places = [np.arange(start, start + len(slab)), np.arange(shape[1]), np.arange(shape[2])]
        if is_along_axes:
            values = scores.permute(0, *(1 + axes))
            for axis, (of_scores, place) in enumerate(zip(axes, places)):
                place = place * to_network[of_scores, axis] + to_network[of_scores, 3]
                margin = (abs(to_network[of_scores, axis]) - 1) / 2
                place = to_edge(place, scores.shape[1 + of_scores], margin)
                values = interpolate_along_axis(values, torch.from_numpy(place), 1 + axis)
        else:
            values = sample_grid(scores, to_network, places)
        slab.copy_(values.argmax(0))
        if steps is not None:
            steps[:, start : start + len(slab)] = in_steps(values)
    return labels


def sample_grid(scores: Tensor, to_network: np.ndarray, places: list[np.ndarray]) -> Tensor:
    """Interpolates linearly between sheared grids, zero beyond the scores.

    Args:
        scores: (classes, x, y, z).
        to_network: (4, 4), see `labels_on_grid`.
        places: voxels of the other grid along each axis, (X,), (Y,) and (Z,).

    Returns:
        (classes, X, Y, Z).
    """
    grid = np.stack([*np.meshgrid(*places, indexing="ij"), np.ones([len(p) for p in places])], -1)
    margin = (np.abs(to_network[:3, :3]).sum(1) - 1) / 2
    at = to_edge(grid @ to_network[:3].T, np.array(scores.shape[1:]), margin)
    at = torch.from_numpy(at).to(scores)  # voxels
    at = (2 * at + 1) / torch.tensor(scores.shape[1:]).to(scores) - 1  # edges at -1 and 1
    return grid_sample(scores[None], at.flip(-1)[None], align_corners=False)[0]


def to_edge(places: np.ndarray, size: np.ndarray | int, margin: np.ndarray | float) -> np.ndarray:
    """Moves places beyond the scores to their edge, where that is at most `margin` away.

    MONAI's `Spacing` shifts the grid of an oblique volume by half the difference of the spacings:
    without this the first of some thick slices would lie beyond the scores.

    Args:
        places: (…,) or (…, 3) in voxels of the scores.
        size: of the scores.
        margin: half the difference of the spacings, in voxels of the scores; below 0 none moves.
    """
    edge = np.clip(places, 0, size - 1)
    return np.where(np.abs(places - edge) <= margin + 1e-3, edge, places)


def interpolate_along_axis(values: Tensor, places: Tensor, axis: int) -> Tensor:
    """Interpolates (classes, x, y, z) along one axis at `places` (n,) in voxels, zero beyond."""
    is_voxel = (places - places.round()).abs() < 1e-3  # rounding must not reach for a neighbour
    places = places.round().where(is_voxel, places)
    first = places.floor().long()
    lower = _take_planes(values, first, axis)
    if is_voxel.all():
        return lower
    fraction = (places - first).to(values).view(-1, *[1] * (values.dim() - 1 - axis))
    return lower.lerp_(_take_planes(values, first + 1, axis), fraction)


def _take_planes(values: Tensor, index: Tensor, axis: int) -> Tensor:
    """Takes planes of `values` by their index, zero where the index lies outside."""
    size = values.shape[axis]
    planes = values.index_select(axis, index.clamp(0, size - 1).to(values.device))
    outside = ((index < 0) | (index >= size)).nonzero().flatten()
    return planes.index_fill_(axis, outside.to(values.device), 0) if len(outside) else planes
