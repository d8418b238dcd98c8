# generated from common/segmentation/previews.py, do not edit: `make copies`
"""Draws pictures for TensorBoard: image, reference and prediction side by side."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import numpy as np
import torch
from monai.utils import optional_import
from torch import Tensor

from ..runtime.distributed import is_main_process

if TYPE_CHECKING:
    from ignite.engine import Engine

Events, _ = optional_import("ignite.engine", name="Events")  # serving does without ignite

GOLDEN_RATIO = 0.618  # turns of the hue between classes: neighbours in number look different
OPACITY = 0.5


def preview(image: Tensor, reference: Tensor, prediction: Tensor) -> np.ndarray:
    """Draws the axial slice with most of the reference: image, reference, prediction.

    Anterior is up and the patient's right is at the left. One pixel is one voxel.

    Args:
        image: (C, X, Y, Z), RAS, on any device and scale; the first channel is shown, from its 1st
            to its 99th percentile in the slice.
        reference, prediction: (X, Y, Z), channel numbers, 0 is background.

    Returns:
        (Y, 3X, 3) uint8; the middle slice where the reference is empty.
    """
    labelled = (reference > 0).sum((0, 1))
    z = int(labelled.argmax()) if labelled.any() else reference.shape[2] // 2
    grey = image[0, :, :, z].detach().float().cpu().numpy()
    low, high = np.percentile(grey, [1, 99])
    grey = np.repeat(((grey - low) / max(high - low, 1e-6)).clip(0, 1)[..., None], 3, axis=2)
    panels = [grey, *(_paint(grey, labels[:, :, z]) for labels in (reference, prediction))]
    # x grows towards the patient's right and y towards anterior; columns grow to the right of the
    # picture and rows downwards: both axes are reversed
    rows = np.hstack([panel.transpose(1, 0, 2)[::-1, ::-1] for panel in panels])
    return (rows * 255).round().astype(np.uint8)


def _paint(grey: np.ndarray, labels: Tensor) -> np.ndarray:
    """Paints labels (X, Y) over a slice (X, Y, 3) of greys from 0 to 1."""
    numbers = labels.detach().cpu().numpy().astype(int)
    colours = np.array([colorsys.hsv_to_rgb(GOLDEN_RATIO * n % 1, 1, 1) for n in range(256)])
    mixed = (1 - OPACITY) * grey + OPACITY * colours[numbers]
    return np.where((numbers > 0)[..., None], mixed, grey)


def channel_numbers(labels: Tensor) -> Tensor:
    """Turns (1, X, Y, Z) numbers, or (classes, X, Y, Z) scores, into (X, Y, Z) numbers."""
    return labels[0] if len(labels) == 1 else labels.argmax(0)


class Previews:
    """Writes `preview`s of a training and of its validation to TensorBoard; a trainer's handler.

    A training shows the crops of iteration 1, 2, 4, 8, …: a wrong orientation, a wrong label or an
    empty crop is seen in the first minute, and later pictures do not pile up. A validation shows
    its first cases every time. The tags are `train/image_reference_prediction` and
    `validation/image_reference_prediction`.

    Args:
        run_folder: its `tensorboard/` gets the pictures.
        evaluator: the validation's engine.
        count: number of crops or cases in a picture.
    """

    def __init__(self, run_folder: str, evaluator: Engine, count: int = 4) -> None:
        self.folder, self.evaluator, self.count = f"{run_folder}/tensorboard", evaluator, count
        self.cases: list[np.ndarray] = []  # pictures of the running validation

    def attach(self, engine: Engine) -> None:
        """Registers the handler with a trainer and its evaluator, in the main process alone."""
        if not is_main_process():
            return
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.step_completed)
        evaluator = self.evaluator
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self.case_completed)
        evaluator.add_event_handler(Events.EPOCH_COMPLETED, self.validation_completed, engine)

    def step_completed(self, engine: Engine) -> None:
        """Writes the crops of iteration 1, 2, 4, 8 and so on."""
        iteration = engine.state.iteration
        if iteration.bit_count() == 1:  # a power of two
            self.write("train", self.drawn(engine, self.count), iteration)

    def case_completed(self, evaluator: Engine) -> None:
        """Draws the cases of an iteration until `count` pictures are there."""
        self.cases += self.drawn(evaluator, self.count - len(self.cases))

    def validation_completed(self, evaluator: Engine, trainer: Engine) -> None:
        """Writes the pictures of the cases, at the trainer's iteration."""
        self.write("validation", self.cases, trainer.state.iteration)
        self.cases = []

    @torch.no_grad()
    def drawn(self, engine: Engine, most: int) -> list[np.ndarray]:
        """Draws the first items of an engine's output, at most `most`."""
        return [
            preview(item["image"], *(channel_numbers(item[key]) for key in ("label", "pred")))
            for item in engine.state.output[:most]
        ]

    def write(self, stage: str, pictures: list[np.ndarray], step: int) -> None:
        """Writes pictures one below the other, at a step of the curves."""
        width = max(picture.shape[1] for picture in pictures)
        rows = [
            np.pad(picture, [(0, 0), (0, width - picture.shape[1]), (0, 0)]) for picture in pictures
        ]
        from torch.utils.tensorboard import SummaryWriter  # a server need not have TensorBoard

        with SummaryWriter(self.folder) as writer:
            name = f"{stage}/image_reference_prediction"
            writer.add_image(name, np.vstack(rows), step, dataformats="HWC")
