"""Shows where crops of a volume lie, and where the network thinks that they lie."""

from collections.abc import Sequence

import numpy as np
import torch
from monai.data import MetaTensor
from monai.inferers import Inferer
from monai.transforms import Transform
from monai.transforms.utils import generate_spatial_bounding_box
from torch import Tensor, nn

from ..base import ValidationInferer
from ..base.pictures import radiological
from .batch import POINTS, points_of

SHARES = (0.0, 0.5, 1.0)  # of the way from the first place of a crop to the last, on all axes
DASH = 3  # pixels of the predicted box that are drawn, and then left out


def boxes_in(volume: Tensor, patch_size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Places three crops on the diagonal of a volume: first, middle and last.

    Args:
        volume: (1, X, Y, Z) in [0, 1], cut to the body and then padded with 0 to the patch at
            least; the padding is found by its 0.
        patch_size: of a crop, voxels.

    Returns:
        (3, 2, 3) int64, the first voxel of each and the one after its last; and (2, 3), those of
        the volume without its padding.
    """
    frame = torch.tensor(generate_spatial_bounding_box(volume)).view(2, 3)
    size, whole = torch.tensor(patch_size), torch.tensor(volume.shape[1:])
    shares = torch.tensor(SHARES)[:, None]
    firsts = (shares * (whole - size)).round().long()
    return torch.stack([firsts, firsts + size], dim=1), frame


class LocateCrops(Inferer):
    """Tells where the crops of `boxes_in` lie in a volume; the evaluator's inferer.

    Args:
        patch_size: of a crop, voxels.

    Returns (of a call):
        (1, 3, 27) of `points_of`, from one volume (1, 1, X, Y, Z).
    """

    def __init__(self, patch_size: Sequence[int]) -> None:
        self.patch_size = patch_size

    def __call__(self, inputs: Tensor, network: nn.Module) -> Tensor:
        boxes, _ = boxes_in(inputs[0], self.patch_size)
        slices = [tuple(map(slice, *box.tolist())) for box in boxes]
        crops = torch.cat([inputs[(..., *box)] for box in slices])
        return ValidationInferer()(crops, network)["position"][None]


class DrawBoxesd(Transform):
    """Draws true and predicted boxes of the crops of `boxes_in` under the key `picture`.

    Each crop has a middle coronal slice of the volume, side by side: superior is up and the
    patient's right is at the left. The true box is a line, the predicted one is dashed. One pixel
    is one voxel.

    Args:
        patch_size: of a crop, voxels.
        keys: of the volume, as `boxes_in` takes it, and of the output of `LocateCrops`, (3, 27).
    """

    def __init__(self, patch_size: Sequence[int], keys: Sequence[str] = ("image", "pred")) -> None:
        self.patch_size, self.keys = patch_size, tuple(keys)

    def __call__(self, data):
        volume, predicted = (data[key] for key in self.keys)
        boxes, frame = boxes_in(volume, self.patch_size)
        edges = frame[1] - frame[0]
        truths = points_of(boxes - frame[0], edges[None])
        coronal = torch.as_tensor(volume[0, :, volume.shape[2] // 2]).float().cpu()
        panels = []
        for points in zip(truths, predicted.float().cpu()):
            plane = coronal.clone()
            for dash, shares in zip((1, DASH), points):
                # the first and the last corner, see `points_of`
                corners = shares.view(POINTS, 3)[[1, -1]] * edges + frame[0]
                draw_box(plane, corners[:, [0, 2]], dash)
            panels.append(radiological(plane))
        picture = torch.from_numpy(np.hstack(panels))[None]
        # of the metadata only the name: a 3D shape in it and the picture would be resampled to it
        meta = {"filename_or_obj": volume.meta["filename_or_obj"]}
        return {**data, "picture": MetaTensor(picture, meta=meta)}


def draw_box(plane: Tensor, corners: Tensor, dash: int) -> None:
    """Draws the outline of a box into a plane, in place, in white.

    Args:
        plane: (X, Z).
        corners: (2, 2), the first voxel and the one after the last, in any order; what lies beyond
            the plane is drawn at its edge.
        dash: pixels that are drawn and then as many that are left out; 1 draws all.
    """
    limits = torch.tensor(plane.shape) - 1
    first, end = corners.sort(dim=0).values
    first = torch.minimum(first.round().long().clamp(min=0), limits)
    last = torch.minimum((end.round().long() - 1).clamp(min=0), limits)
    (x0, z0), (x1, z1) = first.tolist(), last.tolist()
    lines = torch.arange(x0, x1 + 1), torch.arange(z0, z1 + 1)
    x, z = (line[line // dash % 2 == 0] if dash > 1 else line for line in lines)
    for end in (z0, z1):
        plane[x, end] = 1
    for end in (x0, x1):
        plane[end, z] = 1
