# generated from common/evaluation/evaluation_table.py, do not edit: `make copies`
"""Computes metrics of each case and organ on the image's own grid, and writes their table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ignite.engine import Engine, Events
from monai.engines import IterationEvents
from scipy.ndimage import find_objects

from ..data.formats import stem_of
from ..data.image_folder import printable
from ..errors import InputError
from ..runtime.distributed import gather, is_main_process
from . import summary, tables
from .organ_metrics import organ_metrics
from .organs import list_organs


class EvaluationTable:
    """Writes the folder of an evaluation (see `tables`) and prints its table; evaluator's handler.

    Masks hold channel numbers: channel i is the i-th smallest number of `labels`, and
    channel 0 the background.

    Args:
        folder: gets the files at the end; they replace those of an earlier evaluation.
        labels: names by number in label files, `{"0": "background", "1": "spleen", …}`.
        tolerances_mm: tolerances of the NSD; each has a column, in ascending order.
        regions: unions of labels that are measured beside them, numbers by name:
            `{"tumour core": [2, 3]}`. In the table they have the numbers from `FIRST_REGION` on,
            and the means over the organs are without them.

    Raises:
        InputError: see `numbers_and_names`; a tolerance is no number above 0; a region has a
            label's name, or a number that no label has.
    """

    def __init__(
        self,
        folder: str,
        labels: Mapping[str, str],
        tolerances_mm: Sequence[float] = (1, 2),
        regions: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.tolerances_mm = tables.check_tolerances(tolerances_mm)
        self.organs = list_organs(labels, regions or {})
        self.rows: list[dict] = []
        self.paths: dict[str, str] = {}  # of the images, by case

    def attach(self, engine: Engine) -> None:
        """Registers the handler with an evaluator.

        A case is measured inside its iteration, after the postprocessing: if that fails, it fails
        as the iteration does, and a `ContinueOnErrorEvaluator` goes on.
        """
        engine.add_event_handler(Events.STARTED, self.started)
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self.model_completed)
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def started(self, engine: Engine) -> None:
        """Forgets rows and means of an earlier `run`: its network may have had other weights."""
        self.rows, self.paths = [], {}
        engine.state.metrics = {}

    def model_completed(self, engine: Engine) -> None:
        """Adds the rows of each case in the engine's output."""
        for item in engine.state.output:
            path = item["image"].meta["filename_or_obj"]
            case = printable(stem_of(path))
            if self.paths.setdefault(case, path) != path:  # another file with another ending
                case = printable(path)
            if any(row["case"] == case for row in self.rows):
                print(f"{case} is listed twice; it counts once")
                continue
            prediction, reference = (
                item[key][0].cpu().numpy().astype(np.uint8) for key in ("pred", "label")
            )
            self.add(case, prediction, reference, item["label"].affine[:3, :3].cpu().numpy())

    def add(
        self, case: str, prediction: np.ndarray, reference: np.ndarray, axes_mm: np.ndarray
    ) -> None:
        """Adds the rows of one case.

        Args:
            case: path of its image.
            prediction, reference: (X, Y, Z) uint8, channel numbers.
            axes_mm: (3, 3), the affine's: a column is the step from a voxel to the next along one
                axis, in mm, such as diag(1.5, 1.5, 2). Distances on a sheared grid are
                measured as if its axes were square.

        Raises:
            InputError: prediction and reference have other shapes.
        """
        if prediction.shape != reference.shape:
            raise InputError(
                f"{case} has {prediction.shape} voxels and its label {reference.shape}; give a "
                "label on the image's grid."
            )
        spacing_mm = np.linalg.norm(axes_mm, axis=0)
        voxel_ml = abs(np.linalg.det(axes_mm)) / 1000
        most = max(channel for organ in self.organs for channel in organ.channels)
        boxes = [find_objects(mask, most) for mask in (prediction, reference)]
        rows = []
        for organ in self.organs:
            box = _enclose([part[channel - 1] for part in boxes for channel in organ.channels])
            masks = [np.isin(mask[box], organ.channels) for mask in (prediction, reference)]
            volumes = [tables.volume(np.sum(mask) * voxel_ml) for mask in masks]
            row = {"case": case, "label": organ.number, "name": organ.name}
            row |= organ_metrics(*masks, spacing_mm, self.tolerances_mm)
            rows.append(row | dict(zip(("volume_ml", "reference_volume_ml"), volumes)))
        self.rows += rows

    def completed(self, engine: Engine) -> None:
        """Writes the folder and prints the means; of several processes the first does, for all.

        The means go into `engine.state.metrics` too, in every process, for a program that runs the
        workflow itself, such as MONAI's federated client. An undefined mean is left out.
        """
        rows = gather(self.rows)
        if any(rows):
            table = tables.merge_processes([part for part in rows if part])
            table["case"] = table["case"].map(tables.name_cases(table["case"].unique()))
            engine.state.metrics |= summary.means(table)
        if not is_main_process():
            return
        if not any(rows):
            print(f"no case could be evaluated; {self.folder} is left as it was")
            return
        tables.write_and_print(self.folder, table)


def _enclose(boxes: list[tuple[slice, ...] | None]) -> tuple[slice, ...]:
    """Returns the smallest box around all boxes that are not None; an empty one around none."""
    present = [box for box in boxes if box]
    if not present:
        return (slice(0, 0),) * 3
    return tuple(
        slice(min(part.start for part in parts), max(part.stop for part in parts))
        for parts in zip(*present)
    )
