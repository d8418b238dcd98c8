"""Writes the metrics of an evaluation: in one file, and in a table of its crops."""

import csv
import json
import math
from collections.abc import Mapping
from io import StringIO
from itertools import zip_longest
from pathlib import Path

from ignite.engine import Engine, Events

from ...common.atomic_write import write_text
from ...common.runtime.distributed import gather, is_main_process
from ...common.runtime.progress import scalars
from .metrics import ObjectiveMetrics


class MetricsFile:
    """Prints an evaluator's metrics and writes them to a JSON file, when the evaluator ends.

    The file has each metric by name and, under `chance`, the chance levels of those that have one.
    A metric that is not finite, such as one that no crop had, is `null`, since JSON has no NaN. Of
    several processes, which all have the same metrics, the main one prints and writes.

    Args:
        path: of the file.
        metrics: the evaluator's.
    """

    def __init__(self, path: str, metrics: ObjectiveMetrics) -> None:
        self.path, self.metrics = Path(path), metrics

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def completed(self, engine: Engine) -> None:
        if not is_main_process():
            return
        values, chance = scalars(engine), self.metrics.chance
        for name, value in values.items():  # first, so that no failure to write costs them
            level = f" (chance {chance[name]:.4f})" if name in chance else ""
            print(f"{name}: {value:.4f}{level}")
        content = {**_with_nulls(values), "chance": _with_nulls(chance)}
        write_text(self.path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def _with_nulls(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


class CropsTable:
    """Writes a CSV with a row for each crop or view of `of_crops`; an evaluator's handler.

    Columns are `image`, `pass`, `crop` (its number among those of the image in this pass), `view`
    and the metrics, `nan` where a crop has none. Where an objective makes several views of a batch,
    the first views of all crops come before their second ones. Several processes write the same
    table as one would.

    Args:
        path: of the file.
        metrics: the evaluator's.
    """

    def __init__(self, path: str, metrics: ObjectiveMetrics) -> None:
        self.path, self.metrics = Path(path), metrics
        self.batches: list[list[tuple[tuple, dict]]] = []  # a row and its key, of this process

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.started)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.iteration_completed)
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def started(self, engine: Engine) -> None:
        self.batches = []  # of an earlier `run`, whose network may have had other weights

    def iteration_completed(self, engine: Engine) -> None:
        output = engine.state.output
        both = output["pred"], output["label"]
        metrics = {**self.metrics.of_crops(*both), **self.metrics.of_validation(*both)}
        values = list(zip(*(metric.tolist() for metric in metrics.values())))
        draws = engine.state.batch["draw"].tolist()
        items = engine.data_loader.dataset.data
        rows = []
        for i, row in enumerate(values):
            number, index, crop = draws[i % len(draws)]
            view = i // len(draws)
            place = {"image": items[index]["image"], "pass": number, "crop": crop, "view": view}
            place |= {name: f"{v:.6g}" for name, v in zip(metrics, row)}
            rows.append(((number, index, crop, view), place))
        self.batches.append(rows)

    def completed(self, engine: Engine) -> None:
        """Writes the rows of all processes in the order of a single one's; repeats count once."""
        parts = gather(self.batches)
        if not is_main_process():
            return
        rows: dict[tuple, dict] = {}
        for batches in zip_longest(*parts, fillvalue=[]):  # processes take batches in turn
            for key, row in (pair for batch in batches for pair in batch):
                rows.setdefault(key, row)
        text = StringIO()
        writer = csv.DictWriter(text, next(iter(rows.values())).keys())
        writer.writeheader()
        writer.writerows(rows.values())
        write_text(self.path, text.getvalue())
