"""Checkpoints, curves and progress, with a toy trainer whose validation figures are given."""

import csv
from pathlib import Path

import pytest
import torch
from ignite.engine import Events
from ignite.metrics import Average
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import ValidationHandler
from monai.optimizers import WarmupCosineSchedule


@pytest.fixture
def handlers(scripts):
    return scripts.handlers


class Toy:
    """A trainer of one weight, 2 steps an epoch; validation k gives the k-th of `figures`."""

    def __init__(self, figures: list[float], validate_every: int = 1, is_lower_better=False):
        self.network = torch.nn.Linear(1, 1, bias=False)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.1)
        self.scheduler = WarmupCosineSchedule(self.optimizer, warmup_steps=0, t_total=100)
        batch = {"image": torch.ones(1, 1), "label": torch.ones(1, 1)}
        both = {"device": torch.device("cpu"), "network": self.network, "decollate": False}
        values = iter(figures)
        self.evaluator = SupervisedEvaluator(
            val_data_loader=[batch],
            key_val_metric={"figure": Average(output_transform=lambda _: next(values))},
            metric_cmp_fn=lambda new, best: new < best if is_lower_better else new > best,
            **both,
        )
        self.trainer = SupervisedTrainer(
            max_epochs=len(figures) * validate_every,
            train_data_loader=[batch, batch],
            optimizer=self.optimizer,
            loss_function=torch.nn.MSELoss(),
            **both,
        )
        if figures:
            ValidationHandler(validate_every, self.evaluator).attach(self.trainer)
        self.trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda _: self.scheduler.step())
        self.weights: list[float] = []  # after each epoch
        self.trainer.add_event_handler(
            Events.EPOCH_COMPLETED, lambda _: self.weights.append(self.network.weight.item())
        )

    def keep(self, handlers, folder: Path, **settings) -> None:
        """Attach `Checkpoints`, with the deployed model beside the run's folder."""
        handlers.Checkpoints(
            str(folder / "run"),
            str(folder / "models/model.pt"),
            self.network,
            {"optimizer": self.optimizer, "lr_scheduler": self.scheduler},
            self.evaluator,
            **settings,
        ).attach(self.trainer)

    def log(self, handlers, folder: Path) -> list[list[str]]:
        """Run with a `TrainingLog`; its CSV's rows."""
        handlers.TrainingLog(str(folder), self.optimizer, self.evaluator).attach(self.trainer)
        self.trainer.run()
        with (folder / "metrics.csv").open(newline="") as file:
            return list(csv.reader(file))


def states(folder: Path) -> set[str]:
    return {path.name for path in (folder / "run/checkpoints").iterdir()}


def weight(path: Path) -> float:
    content = torch.load(path, weights_only=True)
    return content.get("network", content)["weight"].item()


@pytest.mark.parametrize("n_saved, kept", [(1, {11}), (2, {10, 11}), (3, {9, 10, 11})])
def test_only_the_last_states_are_kept(handlers, tmp_path, n_saved, kept):
    toy = Toy([0.5] * 11)
    toy.keep(handlers, tmp_path, n_saved=n_saved)
    toy.trainer.run()
    assert states(tmp_path) == {"best.pt"} | {f"epoch_{epoch}.pt" for epoch in kept}


@pytest.mark.parametrize("is_lower_better, best", [(False, 1), (True, 2)])
def test_best_follows_the_key_metric(handlers, tmp_path, is_lower_better, best):
    toy = Toy([0.5, 0.9, 0.1, 0.5], is_lower_better=is_lower_better)
    toy.keep(handlers, tmp_path)
    toy.trainer.run()
    assert len(set(toy.weights)) == 4
    assert weight(tmp_path / "run/checkpoints/best.pt") == toy.weights[best]
    assert weight(tmp_path / "models/model.pt") == toy.weights[best]
    assert weight(tmp_path / "run/checkpoints/epoch_4.pt") == toy.weights[3]


def test_deployed_model_is_a_plain_state_dict_and_alone(handlers, tmp_path):
    toy = Toy([0.5])
    toy.keep(handlers, tmp_path)
    toy.trainer.run()
    content = torch.load(tmp_path / "models/model.pt", weights_only=True)
    assert content.keys() == toy.network.state_dict().keys()
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["model.pt"]


def test_state_holds_what_a_training_needs_to_go_on(handlers, tmp_path):
    toy = Toy([0.5, 0.6])
    toy.keep(handlers, tmp_path)
    toy.trainer.run()
    state = torch.load(tmp_path / "run/checkpoints/epoch_2.pt", weights_only=True)
    assert state.keys() == {"network", "trainer", "optimizer", "lr_scheduler"}
    assert state["trainer"]["iteration"] == 4
    assert state["optimizer"] == toy.optimizer.state_dict()


def test_epochs_without_validation_save_nothing(handlers, tmp_path):
    toy = Toy([0.1, 0.9], validate_every=3)
    toy.keep(handlers, tmp_path)
    toy.trainer.run()
    assert states(tmp_path) == {"best.pt", "epoch_3.pt", "epoch_6.pt"}
    assert weight(tmp_path / "models/model.pt") == toy.weights[5]


def test_run_without_validation_saves_its_final_weights(handlers, tmp_path):
    toy = Toy([])
    toy.keep(handlers, tmp_path)
    toy.trainer.state.max_epochs = 2
    toy.trainer.run()
    assert states(tmp_path) == {"best.pt", "epoch_2.pt"}
    assert weight(tmp_path / "models/model.pt") == toy.weights[1]


def test_earlier_model_stays_until_something_better_than_nothing_exists(handlers, tmp_path):
    toy = Toy([0.5])
    toy.keep(handlers, tmp_path)
    handlers.save_atomically({"weight": torch.full((1, 1), 7.0)}, tmp_path / "models/model.pt")
    toy.trainer.add_event_handler(Events.ITERATION_STARTED(once=2), lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        toy.trainer.run()
    assert weight(tmp_path / "models/model.pt") == 7


def test_rows_are_iteration_name_value_with_means_over_the_epoch(handlers, tmp_path):
    toy, losses, rates = Toy([0.25]), [], []
    toy.trainer.state.max_epochs = 1
    toy.trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: losses.append(engine.state.output["loss"].item())
    )
    toy.trainer.add_event_handler(
        Events.EPOCH_COMPLETED, lambda _: rates.append(toy.optimizer.param_groups[0]["lr"])
    )
    rows = toy.log(handlers, tmp_path)
    assert losses[0] != losses[1]
    assert rows == [
        ["iteration", "name", "value"],
        ["2", "train/loss", f"{sum(losses) / 2:.6g}"],
        ["2", "train/learning_rate", f"{rates[0]:.6g}"],
        ["2", "validation/figure", "0.25"],
    ]


def test_each_epoch_has_its_own_mean_loss(handlers, tmp_path):
    toy, losses = Toy([0.1, 0.2, 0.3]), []
    toy.trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: losses.append(engine.state.output["loss"].item())
    )
    rows = toy.log(handlers, tmp_path)
    found = {int(row[0]): float(row[2]) for row in rows if row[1] == "train/loss"}
    expected = {2 * n: sum(losses[2 * n - 2 : 2 * n]) / 2 for n in (1, 2, 3)}
    assert found == pytest.approx(expected, rel=1e-5)


def test_validation_is_written_only_where_it_ran(handlers, tmp_path):
    rows = Toy([0.25, 0.5], validate_every=2).log(handlers, tmp_path)
    assert [row for row in rows if row[1].startswith("validation")] == [
        ["4", "validation/figure", "0.25"],
        ["8", "validation/figure", "0.5"],
    ]


def test_rows_of_a_folder_have_one_header(handlers, tmp_path):
    first = Toy([0.25]).log(handlers, tmp_path)
    both = Toy([0.5]).log(handlers, tmp_path)
    assert both[: len(first)] == first
    assert [row[0] for row in both].count("iteration") == 1


def test_trainers_own_metrics_are_written(handlers, tmp_path):
    toy = Toy([0.25])
    Average(output_transform=lambda _: 3.0).attach(toy.trainer, "accuracy")
    assert ["2", "train/accuracy", "3"] in toy.log(handlers, tmp_path)


def test_curves_go_to_tensorboard_too(handlers, tmp_path):
    Toy([0.25]).log(handlers, tmp_path)
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"validation/figure" in events.read_bytes()
