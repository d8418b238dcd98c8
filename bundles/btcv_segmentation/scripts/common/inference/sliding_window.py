# generated from common/inference/sliding_window.py, do not edit: `make copies`
"""Slides a window over whole volumes, and skips windows in which no channel varies."""

import warnings
from collections.abc import Callable, Sequence

import torch
from monai.data import MetaTensor
from monai.data.utils import compute_importance_map, dense_patch_slices
from monai.inferers import Inferer
from torch import Tensor, nn
from torch.nn.functional import pad

from ..network.fast_attention import accelerate

BACKGROUND_SCORE = 10.0  # of background without a window: softmax gives it 0.999 or more


class BodyWindowInferer(Inferer):
    """Slides windows as MONAI's `SlidingWindowInferer`, skipping those without variation.

    Air clipped to the lower end of the intensity range, or set to zero, has one value throughout. A
    window in which no channel varies is background, whatever the value. Every other voxel sees the
    same windows with the same weights as in MONAI's inferer, and gets the same scores. A volume in
    which no window varies is background, with a warning.

    Args:
        roi_size: edges of the window in voxels, such as (96, 96, 96).
        sw_batch_size: windows per forward.
        overlap: share of a window's edge that the next window covers again, 0 to below 1.
        mode: weights of the blending, "gaussian" or "constant".
        scores_gb: scores of a volume (4 bytes for each class and voxel) up to this size in 1e9
            bytes are kept on the device of the input, larger ones in the host's memory.
        fast_attention: of the network that the inferer is called with. MONAI Label and Deploy call
            it with `network_def` as it is; `prepare_network` makes only our own commands' fast.
    """

    def __init__(
        self,
        roi_size: Sequence[int],
        sw_batch_size: int = 1,
        overlap: float = 0.5,
        mode: str = "gaussian",
        scores_gb: float = 2.0,
        fast_attention: bool = True,
    ) -> None:
        super().__init__()
        self.fast_attention = fast_attention
        self.roi_size, self.sw_batch_size = tuple(roi_size), sw_batch_size
        self.overlap, self.mode, self.scores_gb = overlap, mode, scores_gb

    @torch.no_grad()
    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args, **kwargs) -> Tensor:
        """Computes scores (B, classes, X, Y, Z), float32, no graph, of inputs (B, C, X, Y, Z)."""
        if self.fast_attention and isinstance(network, nn.Module):
            accelerate(network)
        volumes = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        scores = []
        for index, volume in enumerate(volumes):
            name = _name(inputs, index)
            scores.append(self.blend(volume[None], network, *args, volume_name=name, **kwargs))
        scores = scores[0] if len(scores) == 1 else torch.cat(scores)
        if isinstance(inputs, MetaTensor):
            return MetaTensor(
                scores, meta=inputs.meta, applied_operations=inputs.applied_operations
            )
        return scores

    def blend(
        self,
        volume: Tensor,
        network: Callable[..., Tensor],
        *args,
        volume_name: str = "a volume",
        **kwargs,
    ) -> Tensor:
        """Computes the scores of one volume: (1, C, X, Y, Z) to (1, classes, X, Y, Z)."""
        shape = volume.shape[2:]
        before = [max(0, roi - size) // 2 for roi, size in zip(self.roi_size, shape)]
        after = [max(0, roi - size - b) for roi, size, b in zip(self.roi_size, shape, before)]
        margins = [margin for pair in zip(reversed(before), reversed(after)) for margin in pair]
        varies = (volume.amin((0, 2, 3, 4)) != volume.amax((0, 2, 3, 4))).any()  # before padding
        volume = pad(volume, margins) if any(margins) else volume
        inside = tuple(slice(b, b + size) for b, size in zip(before, shape))
        windows = self.windows(volume) if varies else []
        if not windows:
            warnings.warn(
                f"{volume_name}: no window varies after intensity scaling (a blank image, or "
                "intensities beyond the range); all of it is labelled background",
                stacklevel=1,
            )
            return self.background(volume, network, *args, **kwargs)[(..., *inside)]
        weight = compute_importance_map(self.roi_size, mode=self.mode, device=volume.device)
        scores = total = weight_of_total = None
        for start in range(0, len(windows), self.sw_batch_size):
            part = windows[start : start + self.sw_batch_size]
            batch = torch.cat([volume[(..., *window)] for window in part])
            outputs = network(batch, *args, **kwargs)
            if scores is None:
                scores, total = self.buffers(outputs, volume)
                weight_of_total = weight.to(total.device)
            for window, output in zip(part, outputs):
                scores[(0, slice(None), *window)] += (output * weight).to(scores.device)
                total[window] += weight_of_total
        _divide(scores[0], total)
        return scores[(..., *inside)]

    def steps(self, volume: Tensor) -> tuple[int, ...]:
        """Returns the steps between windows along each axis, in voxels."""
        return tuple(
            roi if roi == size else max(1, int(roi * (1 - self.overlap)))
            for roi, size in zip(self.roi_size, volume.shape[2:])
        )

    def windows(self, volume: Tensor) -> list[tuple[slice, ...]]:
        """Lists the windows in which any channel of (1, C, X, Y, Z) varies."""
        windows = dense_patch_slices(volume.shape[2:], self.roi_size, self.steps(volume))
        varies = []
        for window in windows:
            values = volume[(0, slice(None), *window)].flatten(1)
            varies.append((values != values[:, :1]).any())
        return [window for window, keep in zip(windows, torch.stack(varies).tolist()) if keep]

    def background(self, volume: Tensor, network: Callable[..., Tensor], *args, **kwargs) -> Tensor:
        """Makes scores of background alone; one forward tells the number of classes."""
        first = volume[(..., *(slice(0, roi) for roi in self.roi_size))]
        scores, _ = self.buffers(network(first, *args, **kwargs), volume)
        scores[:, 0] = BACKGROUND_SCORE
        return scores

    def buffers(self, outputs: Tensor, volume: Tensor) -> tuple[Tensor, Tensor]:
        """Makes zeroed sums of weighted scores (1, classes, X, Y, Z) and of weights (X, Y, Z)."""
        shape = volume.shape[2:]
        n_bytes = 4 * outputs.shape[1] * shape.numel()
        device = volume.device if n_bytes <= self.scores_gb * 1e9 else torch.device("cpu")
        return (
            torch.zeros(1, outputs.shape[1], *shape, device=device),
            torch.zeros(shape, device=device),
        )


def _name(inputs: Tensor, index: int) -> str:
    """Names a volume of a batch by its file, or by its number."""
    names = inputs.meta.get("filename_or_obj") if isinstance(inputs, MetaTensor) else None
    if names is None:
        return f"volume {index + 1}"
    return names if isinstance(names, str) else str(names[index])


def _divide(scores: Tensor, total: Tensor) -> None:
    """Divides sums (classes, X, Y, Z) by weights (X, Y, Z) in place; the rest is background."""
    for plane, weight in zip(scores.unbind(1), total):
        plane /= weight.clamp(min=torch.finfo(weight.dtype).tiny)
        plane[0][weight == 0] = BACKGROUND_SCORE
