# generated from common/evaluation/evaluation_table.py, do not edit: `make copies`
"""Computes metrics of each case and organ on the image's own grid, and writes their table."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ignite.engine import Engine, Events
from monai.engines import IterationEvents
from scipy.ndimage import find_objects

from ..data.formats import stem_of
from ..data.image_folder import printable
from ..errors import InputError
from ..runtime.distributed import gather, is_main_process
from ..runtime.end_of_run import warn_now_and_at_end
from . import summary, tables
from .organ_metrics import organ_metrics
from .organs import list_organs
from .remarks import FAILED, TRAINED_ON, Remarks, find_trained, trained_on_line

logger = logging.getLogger(__name__)


class EvaluationTable:
    """Writes the folder of an evaluation (see `tables`) and prints its table; evaluator's handler.

    Masks hold channel numbers: channel i is the i-th smallest number of `labels`, and
    channel 0 the background.

    Cases that failed, and those that the weights were trained on, are named in `summary.json`; a
    warning tells of the latter at the start and at the end of the run.

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
        self.trained_on: list[str] | None = None  # cases; None: the weights do not tell

    def attach(self, engine: Engine) -> None:
        """Registers the handler with an evaluator.

        A case is measured inside its iteration, after the postprocessing: if that fails, it fails
        as the iteration does, and a `ContinueOnErrorEvaluator` goes on.
        """
        engine.add_event_handler(Events.STARTED, self.started)
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self.model_completed)
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def started(self, engine: Engine) -> None:
        """Forgets all of an earlier `run`: its network may have had other weights."""
        self.rows, self.paths, self.trained_on = [], {}, None
        engine.state.metrics = {}
        notes = getattr(getattr(engine, "inferer", None), "notes", {})
        if notes and is_main_process():
            self.trained_on = _warn_of_trained(engine, notes)

    def model_completed(self, engine: Engine) -> None:
        """Adds the rows of each case in the engine's output."""
        for item in engine.state.output:
            path = item["image"].meta["filename_or_obj"]
            case = _case_of(path)
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
        parts = gather({"rows": self.rows, "failed": getattr(engine, "failed", [])})
        rows = [part["rows"] for part in parts if part["rows"]]
        if rows:
            table = tables.merge_processes(rows)
            remarks = self._remarks(table, [path for part in parts for path in part["failed"]])
            cases = [*table["case"], *remarks[FAILED]]
            names = tables.name_cases(list(dict.fromkeys(cases)))
            table["case"] = table["case"].map(names)
            remarks = {name: keys and [*map(names.get, keys)] for name, keys in remarks.items()}
            engine.state.metrics |= summary.means(table)
        if not is_main_process():
            return
        if not rows:
            print(f"no case could be evaluated; {self.folder} is left as it was")
            return
        tables.write_and_print(self.folder, table, remarks)

    def _remarks(self, table: pd.DataFrame, failed: list[str]) -> Remarks:
        """Returns the cases that failed, and those of the table that the weights were trained on.

        Args:
            table: a row for each case and organ.
            failed: paths of images; of two processes both may name one.
        """
        measured = {*table["case"]}
        trained_on = self.trained_on and [case for case in self.trained_on if case in measured]
        cases = [case for case in map(_case_of, failed) if case not in measured]
        return {FAILED: list(dict.fromkeys(cases)), TRAINED_ON: trained_on}


def _case_of(path: str) -> str:
    return printable(stem_of(path))


def _warn_of_trained(engine: Engine, notes: Mapping[str, Mapping]) -> list[str] | None:
    """Warns of cases that the weights were trained on, and returns them; None: they do not tell."""
    items = getattr(getattr(engine.data_loader, "dataset", None), "data", None) or []
    images = list(dict.fromkeys(item["image"] for item in items))
    trained_on, files = find_trained(images, notes)
    if trained_on is None:
        logger.info("the weights do not tell which images they were trained on: none is compared")
    elif trained_on:
        warn_now_and_at_end(trained_on_line(len(trained_on), len(images), files))
    return trained_on and [_case_of(path) for path in trained_on]


def _enclose(boxes: list[tuple[slice, ...] | None]) -> tuple[slice, ...]:
    """Returns the smallest box around all boxes that are not None; an empty one around none."""
    present = [box for box in boxes if box]
    if not present:
        return (slice(0, 0),) * 3
    return tuple(
        slice(min(part.start for part in parts), max(part.stop for part in parts))
        for parts in zip(*present)
    )
