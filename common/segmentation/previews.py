"""Draws pictures for TensorBoard: image, reference and prediction side by side."""

import colorsys

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import Tensor

from ..runtime.distributed import is_main_process

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
    """Writes `preview`s to TensorBoard; a handler of the trainer or of its evaluator.

    A training shows the crops of iteration 1, 2, 4, 8, …: a wrong orientation, a wrong label or an
    empty crop is seen in the first minute, and later pictures do not pile up. A validation shows
    its first cases every time.

    Args:
        run_folder: its `tensorboard/` gets the pictures.
        name: tag of the pictures.
        count: number of crops or cases in a picture.
        iterations_per_epoch: iterations of the training, for an evaluator, so that its pictures
            and the curves have the same abscissa; None: the engine is the trainer.
    """

    def __init__(
        self, run_folder: str, name: str, count: int = 4, iterations_per_epoch: int | None = None
    ) -> None:
        self.folder, self.name, self.count = f"{run_folder}/tensorboard", name, count
        self.iterations_per_epoch = iterations_per_epoch
        self.pictures: list[np.ndarray] = []

    def attach(self, engine: Engine) -> None:
        """Registers the handler with a trainer or an evaluator, in the main process alone."""
        if not is_main_process():
            return
        is_trainer = self.iterations_per_epoch is None
        completed = self.step_completed if is_trainer else self.case_completed
        engine.add_event_handler(Events.ITERATION_COMPLETED, completed)
        if not is_trainer:
            engine.add_event_handler(Events.EPOCH_COMPLETED, self.validation_completed)

    def step_completed(self, engine: Engine) -> None:
        """Writes the crops of iteration 1, 2, 4, 8 and so on."""
        iteration = engine.state.iteration
        if iteration.bit_count() == 1:  # a power of two
            self.collect(engine)
            self.write(iteration)

    def case_completed(self, engine: Engine) -> None:
        """Collects the cases of an iteration."""
        self.collect(engine)

    def validation_completed(self, engine: Engine) -> None:
        """Writes the collected cases."""
        self.write(engine.state.epoch * self.iterations_per_epoch)

    @torch.no_grad()
    def collect(self, engine: Engine) -> None:
        """Draws items of the engine's output until `count` pictures are there."""
        for item in engine.state.output[: self.count - len(self.pictures)]:
            labels = [channel_numbers(item[key]) for key in ("label", "pred")]
            self.pictures.append(preview(item["image"], *labels))

    def write(self, step: int) -> None:
        """Writes the collected pictures, one below the other, at a step of the curves."""
        width = max(picture.shape[1] for picture in self.pictures)
        rows = [
            np.pad(picture, [(0, 0), (0, width - picture.shape[1]), (0, 0)])
            for picture in self.pictures
        ]
        self.pictures = []
        from torch.utils.tensorboard import SummaryWriter  # a server need not have TensorBoard

        with SummaryWriter(self.folder) as writer:
            writer.add_image(self.name, np.vstack(rows), step, dataformats="HWC")
