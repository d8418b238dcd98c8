# generated from common/training/metric_logging.py, do not edit: `make copies`
"""Writes the curves of a training."""

import csv
import logging
import os
import re
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from ..atomic_write import explained, write_text
from ..runtime.distributed import is_main_process, world_size
from ..runtime.progress import ProgressBar, scalars

logger = logging.getLogger(__name__)

GO_ON = "make room for it, then the same command goes on from the last checkpoint"
ROW = re.compile(r"\d+,[^,\0]+,[^,\s\0]+\r?\n")  # iteration, name, value


def loss_of(output: Mapping | list) -> dict[str, Tensor]:
    """Returns the loss alone, from a trainer's output, decollated or not."""
    return {"loss": (output[0] if isinstance(output, list) else output)["loss"]}


def read_rows(path: Path) -> list[list[str]]:
    """Reads the rows of a `metrics.csv`, without its header; none where there is no file.

    A power cut can leave NUL bytes or a part of a row at the end. Such rows are left out, with a
    line in the log.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().decode(errors="replace").splitlines(keepends=True)[1:]
    rows = [row for row in csv.reader(line for line in lines if ROW.fullmatch(line))]
    if len(rows) < len(lines):
        logger.warning(f"{path}: left out {len(lines) - len(rows)} rows that are damaged")
    return rows


class MetricLogger:
    """Logs metrics: one progress bar, `metrics.csv` (`iteration,name,value`), TensorBoard.

    Names in both are `train/<metric>` (means over the last `interval` iterations and over all
    processes, but for NaN, and the learning rate) and `validation/<metric>` (every scalar metric of
    the evaluator). Attach it after the `ValidationHandler`, and after `CheckpointHandler`, whose
    checkpoints hold the sums of the current interval. On resume the logger deletes the rows after
    the resumed iteration.

    Args:
        run_folder: where `metrics.csv` and `tensorboard/` go.
        evaluator: the validation's engine.
        metrics: scalars to follow, by name, from the trainer's output.
        interval: iterations, at most an epoch; None: an epoch.
        crops_per_iteration: of one process, for the bar's crops per second.
    """

    def __init__(
        self,
        run_folder: str,
        evaluator: Engine,
        metrics: Callable[[Mapping | list], Mapping[str, Tensor]] = loss_of,
        interval: int | None = None,
        crops_per_iteration: int = 1,
    ) -> None:
        self.folder, self.evaluator = Path(run_folder), evaluator
        self.metrics, self.interval, self.is_main = metrics, interval, is_main_process()
        self.progress = ProgressBar("crop", crops_per_iteration * world_size())
        self.words: dict[str, str] = {}  # behind the bar

    def attach(self, engine: Engine) -> None:
        engine.state.log_sums = {}
        engine.state_dict_user_keys.append("log_sums")
        engine.add_event_handler(Events.STARTED, self.started)
        if self.is_main:
            self.progress.attach(engine)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.iteration_completed)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.epoch_completed)
        if self.is_main:
            engine.add_event_handler(Events.COMPLETED, lambda engine: self.writer.close())

    def started(self, engine: Engine) -> None:
        if not self.is_main:
            return
        iteration, path = engine.state.iteration, self.folder / "metrics.csv"
        rows = [row for row in read_rows(path) if int(row[0]) <= iteration]
        text = StringIO()
        csv.writer(text).writerows([["iteration", "name", "value"], *rows])
        write_text(path, text.getvalue())
        self.writer = SummaryWriter(str(self.folder / "tensorboard"), purge_step=iteration + 1)

    @torch.no_grad()
    def iteration_completed(self, engine: Engine) -> None:
        sums = engine.state.log_sums
        missing = sums.setdefault("missing", {})  # how often a metric was NaN
        for name, value in self.metrics(engine.state.output).items():
            plain = torch.as_tensor(value).as_subclass(Tensor)  # a MetaTensor could not be saved
            sums[name] = sums.get(name, 0) + plain.double().nansum()
            missing[name] = missing.get(name, 0) + plain.isnan().double()
        sums["iterations"] = sums.get("iterations", 0) + 1
        interval = min(self.interval or engine.state.epoch_length, engine.state.epoch_length)
        if engine.state.iteration % interval == 0:
            rows = [
                torch.stack([sums[name], sums["iterations"] - n]) for name, n in missing.items()
            ]
            engine.state.log_sums = {}
            totals, counts = idist.all_reduce(torch.stack(rows)).unbind(dim=1)
            means = (totals / counts).tolist()
            figures = {f"train/{name}": mean for name, mean in zip(missing, means)}
            figures["train/learning_rate"] = engine.optimizer.param_groups[0]["lr"]
            self.write(engine, figures)
            self.show("loss", figures["train/loss"])

    def epoch_completed(self, engine: Engine) -> None:
        if self.evaluator.state.epoch == engine.state.epoch:
            found = scalars(self.evaluator)
            key = self.evaluator.state.key_metric_name
            self.write(engine, {f"validation/{name}": value for name, value in found.items()})
            self.show(f"validation {key}", found[key])

    def show(self, name: str, value: float) -> None:
        """Shows a metric behind the bar, beside the latest of the others."""
        self.words[name] = f"{name} {value:.3f}"
        if self.is_main:
            self.progress.bar.set_postfix_str(", ".join(self.words.values()))

    def write(self, engine: Engine, figures: Mapping[str, float]) -> None:
        if not self.is_main:
            return
        iteration, path = engine.state.iteration, self.folder / "metrics.csv"
        rows = [(iteration, name, f"{value:.6g}") for name, value in figures.items()]
        with explained(path, GO_ON):
            with path.open("a", newline="") as file:
                csv.writer(file).writerows(rows)
                file.flush()
                os.fsync(file.fileno())  # on the disk before the state that follows
        self.keep_tensorboard(iteration)
        with explained(self.folder / "tensorboard", GO_ON):
            for name, value in figures.items():
                self.writer.add_scalar(name, value, iteration)

    def keep_tensorboard(self, iteration: int) -> None:
        """Begins TensorBoard's files anew where their folder was deleted during the training."""
        folder = self.folder / "tensorboard"
        if not folder.is_dir():
            logger.warning(f"{folder} was deleted; its curves begin anew at iteration {iteration}")
            self.writer = SummaryWriter(str(folder))
