# Shared: the original is bundles/pretrain_ssl/scripts/handlers.py (see tools/vendor.py).
"""Handlers of the engines: checkpoints and the deployed model, curves, progress."""

import csv
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from .run_folder import save_atomically

logger = logging.getLogger(__name__)


class Checkpoints:
    """Trainer's handler: after each validation keeps the last states, the best, and `model.pt`.

    "Best" follows the evaluator's key metric. A run too short for any validation saves at its end.

    Args:
        run_folder: states go to `checkpoints/epoch_<n>.pt` and `checkpoints/best.pt` in it.
        model_path: the one deployed weights file: the plain state dict of `network`.
        network: the bare network, not its DDP wrapper.
        others: what else a state holds, by name: optimizer, scheduler.
        evaluator: the validation's engine.
        n_saved: how many last states are kept.
    """

    def __init__(
        self,
        run_folder: str,
        model_path: str,
        network: torch.nn.Module,
        others: Mapping[str, Any],
        evaluator: Engine,
        n_saved: int = 2,
    ) -> None:
        self.folder, self.model_path = Path(run_folder) / "checkpoints", model_path
        self.network, self.others = network, others
        self.evaluator, self.n_saved = evaluator, n_saved

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.epoch_completed)
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def epoch_completed(self, engine: Engine) -> None:
        if self.evaluator.state.epoch == engine.state.epoch:
            self.save(engine, self.evaluator.state.best_metric_epoch == engine.state.epoch)

    def completed(self, engine: Engine) -> None:
        if self.evaluator.state.best_metric_epoch < 0:
            logger.info("no validation has run: the final weights are saved as the best")
            self.save(engine, is_best=True)

    def save(self, engine: Engine, is_best: bool) -> None:
        state = {"network": self.network.state_dict(), "trainer": engine.state_dict()}
        state |= {name: other.state_dict() for name, other in self.others.items()}
        save_atomically(state, self.folder / f"epoch_{engine.state.epoch}.pt")
        number = {path: int(path.stem.split("_")[1]) for path in self.folder.glob("epoch_*.pt")}
        for old in sorted(number, key=number.get)[: -self.n_saved]:
            old.unlink()
        if is_best:
            save_atomically(state, self.folder / "best.pt")
            save_atomically(self.network.state_dict(), self.model_path)
            logger.info(f"best so far, epoch {engine.state.epoch}: {self.model_path}")


class Progress:
    """Handler of any engine: one bar over all its iterations, closed whatever happens.

    Args:
        unit: what an iteration is: "step", "case".
    """

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.bar: tqdm | None = None

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.started)
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: self.bar.update())
        engine.add_event_handler(Events.COMPLETED, lambda engine: self.bar.close())
        engine.add_event_handler(Events.EXCEPTION_RAISED, self.exception_raised)

    def started(self, engine: Engine) -> None:
        total = engine.state.max_epochs * engine.state.epoch_length
        self.bar = tqdm(total=total, unit=self.unit, mininterval=1.0)

    def exception_raised(self, engine: Engine, error: BaseException) -> None:
        self.bar.close()
        raise error  # ignite takes an exception that has a handler for handled


class TrainingLog:
    """Trainer's handler: one progress bar, `metrics.csv` (`iteration,name,value`), TensorBoard.

    Names in both are `train/<figure>` (the loss as a mean over each epoch, the learning rate, the
    trainer's own metrics) and `validation/<figure>` (every scalar metric of the evaluator). Attach
    it after the `ValidationHandler`.

    Args:
        run_folder: where `metrics.csv` and `tensorboard/` go.
        optimizer: for the learning rate.
        evaluator: the validation's engine.
    """

    def __init__(self, run_folder: str, optimizer: torch.optim.Optimizer, evaluator: Engine):
        self.path = Path(run_folder) / "metrics.csv"
        self.writer = SummaryWriter(str(Path(run_folder) / "tensorboard"))
        self.optimizer, self.evaluator = optimizer, evaluator
        self.progress = Progress(unit="step")
        self.losses: list[float] = []
        self.validation = ""

    def attach(self, engine: Engine) -> None:
        self.progress.attach(engine)
        engine.add_event_handler(Events.STARTED, self.started)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.iteration_completed)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.epoch_completed)
        engine.add_event_handler(Events.COMPLETED, lambda engine: self.writer.close())

    def started(self, engine: Engine) -> None:
        if not self.path.exists():
            self.write([("iteration", "name", "value")])

    def iteration_completed(self, engine: Engine) -> None:
        output = engine.state.output
        loss = (output[0] if isinstance(output, list) else output)["loss"]
        self.losses.append(float(torch.as_tensor(loss).detach()))
        text = f"loss {self.losses[-1]:.3f}{self.validation}"
        self.progress.bar.set_postfix_str(text, refresh=False)

    def epoch_completed(self, engine: Engine) -> None:
        figures = {"train/loss": sum(self.losses) / len(self.losses)}
        figures["train/learning_rate"] = self.optimizer.param_groups[0]["lr"]
        figures |= {f"train/{name}": value for name, value in scalars(engine).items()}
        self.losses = []
        if self.evaluator.state.epoch == engine.state.epoch:
            found = scalars(self.evaluator)
            figures |= {f"validation/{name}": value for name, value in found.items()}
            key = self.evaluator.state.key_metric_name
            self.validation = f", validation {key} {found[key]:.3f}"
        self.write([(engine.state.iteration, name, f"{v:.6g}") for name, v in figures.items()])
        for name, value in figures.items():
            self.writer.add_scalar(name, value, engine.state.iteration)

    def write(self, rows: list[tuple]) -> None:
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerows(rows)


def scalars(engine: Engine) -> dict[str, float]:
    """The engine's metrics that are plain numbers."""
    found = engine.state.metrics.items()
    return {name: float(value) for name, value in found if not isinstance(value, Mapping)}
