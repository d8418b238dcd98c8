"""Curves and progress, with a toy trainer whose validation figures are given."""

import shutil
from math import nan

import pytest
import torch
from ignite.engine import Engine, Events
from toy_training import Toy

from common.training import checkpoint_handler, metric_logging


@pytest.fixture
def toy(tmp_path):
    """`toy(figures, …)` is a fresh `Toy` in one and the same folder."""
    return lambda *arguments, **settings: Toy(tmp_path, *arguments, **settings)


def followed(trainer: Engine, losses: list, rates: list | None = None, optimizer=None) -> None:
    """Append every iteration's loss, and every epoch's learning rate."""
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: losses.append(engine.state.output["loss"].item())
    )
    if rates is not None:
        trainer.add_event_handler(
            Events.EPOCH_COMPLETED, lambda _: rates.append(optimizer.param_groups[0]["lr"])
        )


def test_rows_are_iteration_name_value_with_means_over_the_epoch(toy):
    trained, losses, rates = toy([0.25]), [], []
    followed(trained.trainer, losses, rates, trained.optimizer)
    trained.train()
    assert losses[0] != losses[1]
    assert trained.rows() == [
        ["iteration", "name", "value"],
        ["2", "train/loss", f"{sum(losses) / 2:.6g}"],
        ["2", "train/learning_rate", f"{rates[0]:.6g}"],
        ["2", "validation/figure", "0.25"],
    ]


@pytest.mark.parametrize("interval, every", [(None, 2), (1, 1), (3, 2)])
def test_means_are_over_the_interval(toy, interval, every):
    trained, losses = toy([0.1, 0.2, 0.3]), []
    followed(trained.trainer, losses)
    trained.train(log={"interval": interval})
    found = {int(row[0]): float(row[2]) for row in trained.rows() if row[1] == "train/loss"}
    ends = range(every, 7, every)
    assert found == pytest.approx({n: sum(losses[n - every : n]) / every for n in ends}, rel=1e-5)


def test_validation_is_written_only_where_it_ran(toy):
    rows = toy([0.25, 0.5], validate_every=2).train().rows()
    assert [row for row in rows if row[1].startswith("validation")] == [
        ["4", "validation/figure", "0.25"],
        ["8", "validation/figure", "0.5"],
    ]


def test_figures_of_the_output_are_followed(toy):
    def figures(output):
        return {"loss": output["loss"], "three": output["loss"] * 0 + 3}

    assert ["2", "train/three", "3"] in toy([0.25]).train(log={"metrics": figures}).rows()


def test_an_iteration_without_a_metric_has_no_part_in_its_mean(toy):
    values = iter([nan, 3.0, nan, nan])

    def figures(output):
        return {"loss": output["loss"], "some": torch.tensor(next(values))}

    rows = toy([0.1, 0.2]).train(log={"metrics": figures}).rows()
    assert [row for row in rows if row[1] == "train/some"] == [
        ["2", "train/some", "3"],
        ["4", "train/some", "nan"],
    ]


def test_sums_of_an_older_checkpoint_are_read(toy):
    trained = toy([0.25])
    older = {"loss": torch.tensor(10.0, dtype=torch.float64), "iterations": 8}
    trained.trainer.add_event_handler(
        Events.ITERATION_STARTED(once=1), lambda engine: setattr(engine.state, "log_sums", older)
    )
    losses = []
    followed(trained.trainer, losses)
    ((_, _, value),) = [row for row in trained.train().rows() if row[1] == "train/loss"]
    assert float(value) == pytest.approx((10 + sum(losses)) / 10, rel=1e-5)


def test_loss_is_found_in_decollated_outputs():
    assert metric_logging.loss_of([{"loss": 1}, {"loss": 1}]) == {"loss": 1}
    assert metric_logging.loss_of({"loss": 2, "pred": 3}) == {"loss": 2}


def test_curves_go_to_tensorboard_too(toy, tmp_path):
    toy([0.25]).train()
    (events,) = (tmp_path / "run/tensorboard").iterdir()
    assert b"validation/figure" in events.read_bytes()


def test_processes_other_than_the_main_one_write_nothing(toy, tmp_path, monkeypatch):
    for module in (metric_logging, checkpoint_handler):
        monkeypatch.setattr(module, "is_main_process", lambda: False)
    toy([0.25]).train()
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"config.json"}


def test_one_bar_tells_loss_and_crops_per_second(toy, capsys):
    toy([0.25, 0.5]).train(log={"crops_per_iteration": 8})
    shown = capsys.readouterr().err
    assert "32.0/32.0" in shown and "crop" in shown and "loss" in shown
    assert "validation figure 0.250" in shown
    assert "validation figure 0.500" in shown.split("\r")[-1]  # the bar's last word is the latest


@pytest.mark.parametrize("end", [b"\0" * 30, b"3,train/lo", b"\xff\xfe\n", b"2,train/loss,\0\0\n"])
def test_a_damaged_end_of_metrics_is_left_out_with_a_line(toy, tmp_path, caplog, end):
    with pytest.raises(KeyboardInterrupt):
        toy([0.25, 0.5]).train(killed_in=3)
    rows, path = toy([]).rows(), tmp_path / "run/metrics.csv"
    path.write_bytes(path.read_bytes() + end)
    rest = toy([0.5]).train()
    assert rest.rows()[: len(rows)] == rows
    assert "metrics.csv: left out 1 rows that are damaged" in caplog.text


def test_metrics_that_cannot_be_written_are_one_sentence(toy, tmp_path, refusal):
    def remove(_):
        (tmp_path / "run/metrics.csv").unlink()
        (tmp_path / "run/metrics.csv").mkdir()

    trained = toy([0.25])
    trained.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=1), remove)
    with refusal("metrics.csv cannot be written .*the same command goes on from the last"):
        trained.train()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_tensorboard_folder_that_is_deleted_while_training_is_made_again(toy, tmp_path, caplog):
    trained = toy([0.25, 0.5])
    trained.trainer.add_event_handler(
        Events.ITERATION_COMPLETED(once=1), lambda _: shutil.rmtree(tmp_path / "run/tensorboard")
    )
    assert trained.train().trainer.state.iteration == 4
    assert "tensorboard was deleted; its curves begin anew at iteration 2" in caplog.text
    assert any(
        b"validation" in file.read_bytes() for file in (tmp_path / "run/tensorboard").iterdir()
    )
