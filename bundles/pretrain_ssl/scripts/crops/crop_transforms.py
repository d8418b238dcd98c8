"""Reads training crops without reading their volumes.

A volume that is on the training's grid already (uncompressed NIfTI, RAS, the training's spacing)
stays in its file, which is mapped for each crop and closed behind it. So memory and open files do
not grow with the number of volumes, and no more of a file is read than the crop's pages. Any other
file goes through ordinary transforms and becomes a volume in memory, all of it for every crop.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, MapTransform, Randomizable

from ..common.errors import InputError
from .mapped_volume import AIR_HU, VolumeFile, Voxels, open_file

BLOCKS, BLOCK_SIZE = 128, 32  # voxels looked at one by one before a whole volume is searched


class OpenVolumed(MapTransform):
    """Opens a file on the training's grid as `VolumeFile`, and loads any other into memory.

    Args:
        keys: of paths.
        spacing_mm: the training's, x, y, z.
        otherwise: transforms of the same keys that bring any other file to that grid: (1, X, Y, Z)
            in HU, with the file's name as metadata.

    Raises:
        InputError: the file is shorter than its header says.
    """

    def __init__(self, keys, spacing_mm: Sequence[float], otherwise: Sequence[Callable]) -> None:
        super().__init__(keys)
        self.spacing_mm, self.otherwise = spacing_mm, Compose(otherwise)

    def __call__(self, data):
        data = dict(data)
        for key in self.key_iterator(data):
            left_in_file = open_file(data[key], self.spacing_mm)
            data[key] = left_in_file or self.otherwise({key: data[key]})[key]
        return data


class RandBodyCropd(Randomizable, MapTransform):
    """Takes a patch around a random voxel of the body, so that none is all air.

    Args:
        keys: one, of `VolumeFile`s and of volumes (1, X, Y, Z) in HU.
        patch_size: of the crop, voxels.
        body_above_hu: voxels above this HU are body.
        crops_per_item: how many of each volume, each around a voxel of its own.

    Raises:
        InputError: a volume shows no body.

    Returns (of a call):
        The item with the key's crop, (1, X, Y, Z) float32 in HU, a plain tensor; `box` (2, 3)
        int64, the crop's first voxel and the one after its last, in voxels of the volume, beyond
        its edges where the volume is smaller than the patch; and `volume_shape` (3,) int64. Of
        several crops a list of such items.
    """

    def __init__(
        self, keys, patch_size: Sequence[int], body_above_hu: float, crops_per_item: int = 1
    ) -> None:
        MapTransform.__init__(self, keys)
        if not isinstance(crops_per_item, int) or crops_per_item < 1:
            raise InputError(
                f"crops_per_item {crops_per_item} is no number of crops; give 1 or more."
            )
        (self.key,) = self.keys
        self.patch_size, self.body_above_hu = tuple(patch_size), body_above_hu
        self.crops_per_item = crops_per_item

    def __call__(self, data):
        path, voxels = look_into(data[self.key])
        crops = [{**data, **self.crop(path, voxels)} for _ in range(self.crops_per_item)]
        return crops[0] if self.crops_per_item == 1 else crops

    def crop(self, path: str, voxels: Voxels) -> dict[str, torch.Tensor | np.ndarray]:
        centre = draw_centre(self.R, voxels, self.body_above_hu)
        if centre is None:
            raise InputError(
                f"{path} shows no body, no voxel is above {self.body_above_hu:g} HU; remove it."
            )
        shape = voxels.stored.shape
        return {
            self.key: torch.from_numpy(crop_around(voxels, centre, self.patch_size)[None]),
            "box": box_around(centre, self.patch_size, shape),
            "volume_shape": np.array(shape, dtype=np.int64),
        }


def look_into(volume: VolumeFile | MetaTensor) -> tuple[str, Voxels]:
    """Returns the name of the file, and its voxels, of which nothing has been read or copied."""
    if isinstance(volume, VolumeFile):
        return volume.path, volume.voxels()
    return volume.meta["filename_or_obj"], Voxels(volume.as_tensor().numpy()[0])


def draw_centre(
    rng: np.random.RandomState, voxels: Voxels, body_above_hu: float
) -> tuple[int, ...] | None:
    """Draws a voxel uniformly from those of the body; None where there are none.

    Voxels of the whole volume are drawn until one is body, which reads a page of the file for each.
    After thousands of draws without one, the body is searched for, so that even the smallest body
    is found.
    """
    shape = voxels.stored.shape
    if 0 in shape:
        return None
    for _ in range(BLOCKS):
        for place in map(tuple, rng.randint(shape, size=(BLOCK_SIZE, 3)).tolist()):
            if voxels.stored[place] * voxels.slope + voxels.intercept > body_above_hu:
                return place
    planes = [voxels.hu((..., z)) > body_above_hu for z in range(shape[2])]
    body = np.argwhere(np.stack(planes, axis=2))
    return tuple(body[rng.randint(len(body))].tolist()) if len(body) else None


def box_around(
    centre: tuple[int, ...], patch_size: tuple[int, ...], shape: tuple[int, ...]
) -> np.ndarray:
    """Places the patch around a voxel of a volume of this shape: (2, 3) int64, first and behind.

    A patch that would reach over an edge is moved inside. Where the volume is smaller than the
    patch, the patch reaches over both edges alike.
    """
    firsts = [
        min(max(at - size // 2, 0), n - size) if n >= size else -((size - n) // 2)
        for at, size, n in zip(centre, patch_size, shape)
    ]
    return np.array([firsts, np.add(firsts, patch_size)], dtype=np.int64)


def crop_around(voxels: Voxels, centre: tuple[int, ...], patch_size: tuple[int, ...]) -> np.ndarray:
    """Crops the patch around a voxel, (X, Y, Z) float32 HU; air lies beyond the volume's edges."""
    shape = voxels.stored.shape
    bounds = list(zip(*box_around(centre, patch_size, shape).tolist(), shape))
    hu = voxels.hu(tuple(slice(max(first, 0), min(end, n)) for first, end, n in bounds))
    widths = [(max(-first, 0), max(end - n, 0)) for first, end, n in bounds]
    return np.pad(hu, widths, constant_values=AIR_HU) if np.any(widths) else hu
