"""A trainer of one weight, for many runs a second, sampled reproducibly as the bundles are."""

import csv
import json
from pathlib import Path

import torch
from ignite.engine import Events
from ignite.metrics import Average
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import ValidationHandler
from monai.optimizers import WarmupCosineSchedule
from monai.transforms import Compose, RandGaussianNoised

from common.data import ResumableDataLoader, SeededCacheDataset
from common.training import CheckpointHandler, MetricLogger


class Weight(torch.nn.Linear):
    """Multiplies by one weight; in training its input is dropped by chance."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.nn.functional.dropout(image, 0.3, self.training))


class Toy:
    """2 steps an epoch on noisy data; validation k gives the k-th of `figures`.

    Args:
        folder: `run` in it is the run's folder, `models/model.pt` the deployed model.
        epoch_length: iterations of an epoch.
        trainer: further arguments of the trainer, such as `accumulation_steps`.
    """

    def __init__(
        self,
        folder: Path,
        figures: list[float],
        validate_every: int = 1,
        is_lower_better: bool = False,
        epoch_length: int = 2,
        **trainer,
    ) -> None:
        torch.manual_seed(0)
        self.folder = folder
        self.network = Weight(1, 1, bias=False)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=0.1)
        self.scheduler = WarmupCosineSchedule(self.optimizer, warmup_steps=3, t_total=20)
        both = {"device": torch.device("cpu"), "network": self.network, "decollate": False}
        self.figures = iter(figures)
        self.evaluator = SupervisedEvaluator(
            val_data_loader=[{"image": torch.ones(1, 1), "label": torch.ones(1, 1)}],
            key_val_metric={"figure": Average(output_transform=lambda _: next(self.figures))},
            metric_cmp_fn=lambda new, best: new < best if is_lower_better else new > best,
            **both,
        )
        self.trainer = SupervisedTrainer(
            max_epochs=len(figures) * validate_every,
            train_data_loader=self.loader(),
            optimizer=self.optimizer,
            loss_function=torch.nn.MSELoss(),
            epoch_length=epoch_length,
            **both,
            **trainer,
        )
        self.validate_every = validate_every if figures else None
        self.weights: list[float] = []  # after each epoch

    def loader(self) -> ResumableDataLoader:
        items = [{"image": torch.full((1,), n / 3), "label": torch.ones(1)} for n in range(4)]
        noise = Compose([RandGaussianNoised("image", prob=1.0)])
        return ResumableDataLoader(SeededCacheDataset(items, noise, seed=0), batch_size=2, seed=0)

    def train(self, killed_in: int | None = None, log: dict | None = None, **checkpoints) -> "Toy":
        """Train as the configs do: `CheckpointHandler`, validation, scheduler, `MetricLogger`.

        Args:
            killed_in: iteration in which a KeyboardInterrupt ends the run.
            log, checkpoints: settings of the two handlers.
        """
        run, trainer = self.folder / "run", self.trainer
        run.mkdir(exist_ok=True)
        (run / "config.json").write_text(json.dumps({"config": {"a": 1}}))
        given = {"lr_scheduler": self.scheduler, "evaluator": self.evaluator}
        model = str(self.folder / "models/model.pt")
        keeper = CheckpointHandler(str(run), model, **given, **checkpoints)
        keeper.attach(trainer)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda _: self.scheduler.step())
        if self.validate_every:
            ValidationHandler(self.validate_every, self.evaluator).attach(trainer)
        trainer.add_event_handler(
            Events.EPOCH_COMPLETED, lambda _: self.weights.append(self.network.weight.item())
        )
        logger = MetricLogger(str(run), self.evaluator, **(log or {}))
        logger.attach(trainer)
        if killed_in:
            trainer.add_event_handler(Events.ITERATION_STARTED(once=killed_in), kill)
        trainer.run()
        return self

    def rows(self) -> list[list[str]]:
        """Of the run's `metrics.csv`."""
        with (self.folder / "run/metrics.csv").open(newline="") as file:
            return list(csv.reader(file))

    def states(self) -> set[str]:
        """Names of the kept states."""
        return {path.name for path in (self.folder / "run/checkpoints").iterdir()}


def kill(engine) -> None:
    raise KeyboardInterrupt


def weight(path: Path) -> float:
    """The one weight in a state or in a deployed model."""
    content = torch.load(path, weights_only=True)
    return content.get("network", content)["weight"].item()
