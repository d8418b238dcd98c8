# Shared: the original is bundles/btcv_segmentation/scripts/inference.py (see tools/vendor.py).
"""Whole volumes: windows that hold more than air, and labels on the image's own grid."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from monai.data import MetaTensor
from monai.data.utils import compute_importance_map, dense_patch_slices
from monai.inferers import Inferer
from monai.transforms import MapTransform
from torch import Tensor
from torch.nn.functional import grid_sample, pad

AIR_SCORE = 10.0  # of background where no window was computed: softmax gives it 0.999 or more


class BodyWindowInferer(Inferer):
    """Sliding windows as MONAI's `SlidingWindowInferer`, without those in which nothing varies.

    Air clipped to the lower end of the intensity range, or set to zero, is one value throughout; a
    window of nothing else is background and never reaches the network. Every other voxel sees the
    same windows with the same weights as in MONAI's inferer, and gets the same scores.

    Args:
        roi_size: window in voxels.
        sw_batch_size: windows per forward.
        overlap: share of a window's edge that the next one covers again, 0 to below 1.
        mode: weights of the blending, "gaussian" or "constant".
        scores_gb: scores of a volume (4 bytes for each class and voxel) up to this size in 1e9
            bytes are kept on the device of the input, larger ones in the host's memory.
    """

    def __init__(
        self,
        roi_size: Sequence[int],
        sw_batch_size: int = 1,
        overlap: float = 0.5,
        mode: str = "gaussian",
        scores_gb: float = 2.0,
    ) -> None:
        super().__init__()
        self.roi_size, self.sw_batch_size = tuple(roi_size), sw_batch_size
        self.overlap, self.mode, self.scores_gb = overlap, mode, scores_gb

    @torch.no_grad()
    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args, **kwargs) -> Tensor:
        """inputs: (B, C, X, Y, Z); returns scores (B, classes, X, Y, Z), float32, no graph."""
        volumes = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        scores = [self.blended(volume[None], network, *args, **kwargs) for volume in volumes]
        scores = scores[0] if len(scores) == 1 else torch.cat(scores)
        if isinstance(inputs, MetaTensor):
            return MetaTensor(
                scores, meta=inputs.meta, applied_operations=inputs.applied_operations
            )
        return scores

    def blended(self, volume: Tensor, network: Callable[..., Tensor], *args, **kwargs) -> Tensor:
        """Scores of one volume: (1, C, X, Y, Z) to (1, classes, X, Y, Z)."""
        shape = volume.shape[2:]
        before = [max(0, roi - size) // 2 for roi, size in zip(self.roi_size, shape)]
        after = [max(0, roi - size - b) for roi, size, b in zip(self.roi_size, shape, before)]
        margins = [margin for pair in zip(reversed(before), reversed(after)) for margin in pair]
        volume = pad(volume, margins) if any(margins) else volume
        windows = self.windows(volume)
        weight = compute_importance_map(self.roi_size, mode=self.mode, device=volume.device)
        if not windows:  # the number of classes is the network's to say
            windows = dense_patch_slices(volume.shape[2:], self.roi_size, self.steps(volume))[:1]
        scores = total = None
        for start in range(0, len(windows), self.sw_batch_size):
            part = windows[start : start + self.sw_batch_size]
            batch = torch.cat([volume[(..., *window)] for window in part])
            outputs = network(batch, *args, **kwargs)
            if scores is None:
                scores, total = self.buffers(outputs, volume)
            for window, output in zip(part, outputs):
                scores[(0, slice(None), *window)] += (output * weight).to(scores.device)
                total[window] += weight.to(total.device)
        _divide(scores[0], total)
        inside = tuple(slice(b, b + size) for b, size in zip(before, shape))
        return scores[(..., *inside)]

    def steps(self, volume: Tensor) -> tuple[int, ...]:
        """Distances of the windows, in voxels."""
        return tuple(
            roi if roi == size else max(1, int(roi * (1 - self.overlap)))
            for roi, size in zip(self.roi_size, volume.shape[2:])
        )

    def windows(self, volume: Tensor) -> list[tuple[slice, ...]]:
        """Windows in which any channel of (1, C, X, Y, Z) varies."""
        windows = dense_patch_slices(volume.shape[2:], self.roi_size, self.steps(volume))
        varies = []
        for window in windows:
            values = volume[(0, slice(None), *window)].flatten(1)
            varies.append((values != values[:, :1]).any())
        return [window for window, keep in zip(windows, torch.stack(varies).tolist()) if keep]

    def buffers(self, outputs: Tensor, volume: Tensor) -> tuple[Tensor, Tensor]:
        """Zeroed sums of weighted scores (1, classes, X, Y, Z) and of weights (X, Y, Z)."""
        shape = volume.shape[2:]
        n_bytes = 4 * outputs.shape[1] * shape.numel()
        device = volume.device if n_bytes <= self.scores_gb * 1e9 else torch.device("cpu")
        return (
            torch.zeros(1, outputs.shape[1], *shape, device=device),
            torch.zeros(shape, device=device),
        )


def _divide(scores: Tensor, total: Tensor) -> None:
    """Sums to means, plane by plane and in place; background wins where no window was."""
    for plane, weight in zip(scores.unbind(1), total):
        plane /= weight.clamp(min=torch.finfo(weight.dtype).tiny)
        plane[0][weight == 0] = AIR_SCORE


class LabelsOnInputGridd(MapTransform):
    """Scores on the network's grid to labels on the image's own grid.

    The same as softmax, `Invertd` with linear interpolation and argmax after a preprocessing that
    turns, resamples, crops and pads. Probabilities of all classes exist on the
    network's grid, in place of the scores, and for a slab of the image's grid at a time.

    Args:
        keys: scores (classes, x, y, z); become labels (1, X, Y, Z), uint8, on the CPU.
        orig_keys: the preprocessed image, whose affine and original affine say how the grids lie.
        slab_gb: bound on what one slab takes, in 1e9 bytes.
    """

    def __init__(self, keys, orig_keys: str = "image", slab_gb: float = 0.25) -> None:
        super().__init__(keys)
        self.orig_key, self.slab_gb = orig_keys, slab_gb

    def __call__(self, data):
        data = dict(data)
        image = data[self.orig_key]
        affine = torch.as_tensor(np.asarray(image.meta["original_affine"]), dtype=torch.float64)
        shape = tuple(int(size) for size in np.asarray(image.meta["spatial_shape"])[:3])
        to_network = torch.linalg.solve(image.affine.cpu().double(), affine)
        for key in self.key_iterator(data):
            scores = data[key].as_tensor() if isinstance(data[key], MetaTensor) else data[key]
            labels = labels_on_grid(scores, to_network.numpy(), shape, self.slab_gb * 1e9)
            data[key] = MetaTensor(labels[None], meta=dict(image.meta) | {"affine": affine})
        return data


def labels_on_grid(
    scores: Tensor, to_network: np.ndarray, shape: tuple[int, int, int], slab_bytes: float
) -> Tensor:
    """Most probable class at each voxel of another grid, 0 beyond the scores: uint8, on the CPU.

    Args:
        scores: (classes, x, y, z); are overwritten with their softmax.
        to_network: (4, 4), voxel of the other grid to voxel of the scores' grid.
        shape: (X, Y, Z) of the other grid.
        slab_bytes: bound on the probabilities that exist on the other grid at once.
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
                values = interpolated(values, torch.from_numpy(place), 1 + axis)
        else:
            values = sampled(scores, to_network, places)
        slab.copy_(values.argmax(0))
    return labels


def sampled(scores: Tensor, to_network: np.ndarray, places: list[np.ndarray]) -> Tensor:
    """Linear interpolation between sheared grids, zero beyond the scores: (classes, X, Y, Z)."""
    grid = np.stack([*np.meshgrid(*places, indexing="ij"), np.ones([len(p) for p in places])], -1)
    at = torch.from_numpy(grid @ to_network[:3].T).to(scores)  # voxels
    at = (2 * at + 1) / torch.tensor(scores.shape[1:]).to(scores) - 1  # edges at -1 and 1
    return grid_sample(scores[None], at.flip(-1)[None], align_corners=False)[0]


def interpolated(values: Tensor, places: Tensor, axis: int) -> Tensor:
    """Linear interpolation of `values` along one axis at `places` in voxels, zero beyond them."""
    is_voxel = (places - places.round()).abs() < 1e-3  # rounding must not reach for a neighbour
    places = places.round().where(is_voxel, places)
    first = places.floor().long()
    lower = _taken(values, first, axis)
    if is_voxel.all():
        return lower
    fraction = (places - first).to(values).view(-1, *[1] * (values.dim() - 1 - axis))
    return lower.lerp_(_taken(values, first + 1, axis), fraction)


def _taken(values: Tensor, index: Tensor, axis: int) -> Tensor:
    """Planes of `values`, zero where the index lies outside."""
    size = values.shape[axis]
    taken = values.index_select(axis, index.clamp(0, size - 1).to(values.device))
    outside = ((index < 0) | (index >= size)).nonzero().flatten()
    return taken.index_fill_(axis, outside.to(values.device), 0) if len(outside) else taken
