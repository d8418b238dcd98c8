"""Draws pictures of volumes side by side: intact, corrupted and restored."""

import logging
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import ClassVar

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data import MetaTensor, PILWriter
from monai.transforms import Transform
from torch import Tensor

from ...common.atomic_write import replacing
from ...common.runtime.distributed import is_main_process

logger = logging.getLogger(__name__)


def triptych(*volumes: Tensor) -> np.ndarray:
    """Draws the middle axial slice of N volumes, side by side, in radiological orientation.

    Anterior is up and the patient's right is at the left. One pixel is one voxel: pixels are
    square, and proportions true, where x and y have the same spacing, as in every config here.

    Args:
        volumes: (C, X, Y, Z), RAS, [0, 1], on any device; the first channel of each is shown.
            Values outside of [0, 1] are shown as its ends.

    Raises:
        ValueError: the volumes differ in shape.

    Returns:
        (Y, NX) uint8, [0, 1] mapped to 0..255; the slice is Z // 2.
    """
    shapes = [tuple(volume.shape) for volume in volumes]
    if len(set(shapes)) > 1:
        raise ValueError(f"volumes of one picture differ in shape: {shapes}")
    return np.hstack([_axial_slice(volume) for volume in volumes])


def _axial_slice(volume: Tensor) -> np.ndarray:
    """Turns (C, X, Y, Z) in RAS into the (Y, X) uint8 picture of channel 0 at Z // 2."""
    return radiological(volume[0, :, :, volume.shape[-1] // 2])


def radiological(plane: Tensor) -> np.ndarray:
    """Turns a plane (X, Y) or (X, Z) in RAS, [0, 1], into a picture, (Y, X) or (Z, X) uint8.

    Anterior, or superior, is up and the patient's right is at the left.
    """
    levels = (plane.detach().float().cpu().clamp(0, 1) * 255).round().to(torch.uint8)
    # x grows towards the patient's right, y towards anterior and z towards superior; columns grow
    # to the right of the picture and rows downwards: both axes are reversed
    return np.asarray(levels).T[::-1, ::-1]


class Triptychd(Transform):
    """Adds the `triptych` of one case under the key `triptych`, for `SaveImaged`.

    The transform must come before the volumes are brought back to the image's own grid.

    Args:
        keys: of (C, X, Y, Z) volumes on the network's grid, from left to right.
    """

    def __init__(self, keys: Sequence[str] = ("intact", "image", "pred")) -> None:
        self.keys = tuple(keys)

    def __call__(self, data):
        volumes = [data[key] for key in self.keys]
        picture = torch.from_numpy(triptych(*volumes).copy())[None]  # (1, rows, columns)
        # of the metadata only the name: a 3D shape in it and the picture would be resampled to it
        meta = {"filename_or_obj": volumes[0].meta["filename_or_obj"]}
        return {**data, "triptych": MetaTensor(picture, meta=meta)}


class ValidationPictures:
    """Writes triptychs of the first views of every validation to TensorBoard; a trainer's handler.

    The handler does nothing when predictions or targets have no `reconstruction`. A subclass shows
    what else an objective has, as one of its `train_handlers`.

    Args:
        run_folder: `tensorboard/` in it is written to.
        evaluator: the validation's engine.
        count: how many views, one below the other.

    Attributes:
        title: of the class, behind `validation/`: what `volumes` are.
    """

    title: ClassVar[str] = "intact_corrupted_restored"

    def __init__(self, run_folder: str, evaluator: Engine, count: int = 4) -> None:
        self.folder, self.evaluator, self.count = f"{run_folder}/tensorboard", evaluator, count

    def attach(self, engine: Engine) -> None:
        if not is_main_process():
            return
        first = Events.ITERATION_COMPLETED(once=1)
        self.evaluator.add_event_handler(first, self.first_batch_completed, engine)

    def first_batch_completed(self, evaluator: Engine, trainer: Engine) -> None:
        """Writes the pictures, at the trainer's iteration."""
        volumes = self.volumes(evaluator.state.output)
        rows = [triptych(*view) for view in islice(zip(*volumes), self.count)]
        if not rows:
            return
        from torch.utils.tensorboard import SummaryWriter  # inference does without TensorBoard

        with SummaryWriter(self.folder) as writer:
            name = f"validation/{self.title}"
            writer.add_image(name, np.vstack(rows), trainer.state.iteration, dataformats="HW")

    def volumes(self, output: Mapping) -> Sequence[Tensor]:
        """Selects what is shown of an evaluator's output: of each panel (N, C, X, Y, Z); or ()."""
        both = (output["label"], output["pred"])
        if not all(isinstance(part, Mapping) and "reconstruction" in part for part in both):
            return ()
        intact, restored = (part["reconstruction"] for part in both)
        return intact, output["image"], restored


class PictureWriter(PILWriter):
    """Writes (1, rows, columns) uint8 for `SaveImaged`; a file is complete or absent."""

    def write(self, filename, verbose: bool = False, **kwargs) -> None:
        """Writes under a temporary name, then renames the file; `verbose` prints its path."""
        with replacing(filename) as temporary:  # rows come first already: nothing to swap
            super().write(temporary, verbose=False, reverse_indexing=False, **kwargs)
        if verbose:
            logger.info(f"written: {filename}")
