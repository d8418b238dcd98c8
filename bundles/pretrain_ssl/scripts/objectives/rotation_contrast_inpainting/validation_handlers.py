"""What a validation tells: a warning in words, its figures in files, every view in a table."""

import csv
import json
import logging
from io import StringIO
from pathlib import Path

from ignite.engine import Engine, Events

from ...common.atomic_write import write_text
from ...common.runtime.distributed import is_main_process
from ...common.training.metric_logging import scalars
from .metrics import view_metrics

logger = logging.getLogger(__name__)

COLLAPSED = 0.95  # mean cosine between different volumes from which embeddings tell nothing apart


class CollapseWarning:
    """Evaluator's handler: says in words when the embeddings tell no volume from another."""

    def attach(self, engine: Engine) -> None:
        if not is_main_process():
            return
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def completed(self, engine: Engine) -> None:
        cosine = engine.state.metrics["mean_cosine"]
        if cosine > COLLAPSED:
            logger.warning(
                f"the contrastive task has collapsed: different volumes have a mean cosine of "
                f"{cosine:.3f}, top-1 is {engine.state.metrics['contrastive_top1']:.2f}; if this "
                "lasts, use the default heads, more crops a batch or a smaller learning rate"
            )


class MetricsFile:
    """Evaluator's handler: at the end its figures go to a JSON file and to standard output."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def completed(self, engine: Engine) -> None:
        write_text(self.path, json.dumps(scalars(engine), indent=2) + "\n")
        print("\n".join(f"{name}: {value:.4f}" for name, value in scalars(engine).items()))


class ViewsTable:
    """Evaluator's handler: a CSV with a row for each view: its image and its `view_metrics`."""

    def __init__(self, path: str) -> None:
        self.path, self.rows = Path(path), []

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.iteration_completed)
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def iteration_completed(self, engine: Engine) -> None:
        figures = view_metrics(engine.state.output["pred"], engine.state.output["label"])
        values = list(zip(*(figure.tolist() for figure in figures.values())))
        draws = engine.state.batch["draw"].tolist()
        items = engine.data_loader.dataset.data
        for i, row in enumerate(values):
            number, index, _ = draws[i % len(draws)]
            named = {"image": items[index]["image"], "pass": number, "view": i // len(draws)}
            self.rows.append(named | {k: f"{v:.6g}" for k, v in zip(figures, row)})

    def completed(self, engine: Engine) -> None:
        text = StringIO()
        writer = csv.DictWriter(text, self.rows[0].keys())
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.path, text.getvalue())
