"""What an evaluation writes, of any objective: its metrics in a file, its crops in a table."""

import contextlib
import csv
import importlib
import io
import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers import import_scripts
from ignite.engine import Engine
from two_processes import in_two_processes


def test_metrics_file_holds_the_plain_numbers_and_the_chance_levels(base, tmp_path, capsys):
    engine, path = Engine(lambda engine, batch: None), tmp_path / "evaluation/metrics.json"
    metrics = SimpleNamespace(chance={"accuracy": 0.125})
    base.MetricsFile(str(path), metrics).attach(engine)
    engine.state.metrics = {"loss": torch.tensor(0.5), "accuracy": 0.25, "all": {"loss": 0.5}}
    engine.run([0])
    kept = json.loads(path.read_text())
    assert kept == {"loss": 0.5, "accuracy": 0.25, "chance": {"accuracy": 0.125}}
    assert capsys.readouterr().out == "loss: 0.5000\naccuracy: 0.2500 (chance 0.1250)\n"


def test_metrics_that_no_crop_had_are_null_in_the_file(base, tmp_path):
    engine, path = Engine(lambda engine, batch: None), tmp_path / "metrics.json"
    metrics = SimpleNamespace(chance={"distinct_accuracy": math.nan})
    base.MetricsFile(str(path), metrics).attach(engine)
    engine.state.metrics = {"loss": 0.5, "distinct_accuracy": math.nan}
    engine.run([0])
    kept = json.loads(path.read_text(), parse_constant=pytest.fail)
    expected = {"loss": 0.5, "distinct_accuracy": None, "chance": {"distinct_accuracy": None}}
    assert kept == expected


def test_a_batch_that_repeats_that_of_another_process_counts_nothing(objective):
    """So a validation by more processes than batches has the means of one process."""
    truth = torch.rand(4, 1, 2, 2, 2)
    pred = {"rotation": torch.eye(4), "embedding": torch.eye(4), "reconstruction": truth}
    metrics = objective.SSLMetrics(objective.SSLLoss({}))
    metrics.reset()
    for repeats, turns in ((True, [3, 2, 1, 0]), (False, [0, 1, 2, 3])):
        target = {"rotation": torch.tensor(turns), "reconstruction": truth}
        loader = SimpleNamespace(batch_sampler=SimpleNamespace(repeats=repeats))
        output = {"pred": pred, "label": target}
        state = SimpleNamespace(dataloader=loader, output=output, metrics={})
        metrics.iteration_completed(SimpleNamespace(state=state))
    assert metrics.compute()["rotation_accuracy"] == 1


def test_every_view_has_a_row_with_its_image_pass_and_metrics(base, objective, tmp_path):
    truth = torch.tensor([0.0, 1.0]).reshape(1, 1, 2, 1, 1).repeat(4, 1, 1, 1, 1)
    pred = {
        "rotation": torch.eye(4),
        "embedding": torch.eye(2).repeat(2, 1),
        "reconstruction": truth * 0.5,
    }
    target = {"rotation": torch.tensor([0, 1, 2, 0]), "reconstruction": truth}
    batch = {"draw": torch.tensor([[3, 1, 0], [3, 1, 1]])}
    engine = Engine(lambda engine, _: {"pred": pred, "label": target})
    items = SimpleNamespace(data=[{"image": "a.nii"}, {"image": "b.nii"}])
    engine.data_loader = SimpleNamespace(dataset=items)
    metrics = objective.SSLMetrics(objective.SSLLoss({}))
    base.CropsTable(str(tmp_path / "views.csv"), metrics).attach(engine)
    for _ in range(2):  # a second run measures anew
        engine.run([batch])
    with (tmp_path / "views.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["image"], r["pass"], r["crop"], r["view"]) for r in rows] == [
        ("b.nii", "3", "0", "0"),
        ("b.nii", "3", "1", "0"),
        ("b.nii", "3", "0", "1"),
        ("b.nii", "3", "1", "1"),
    ]
    assert [float(row["rotation_accuracy"]) for row in rows] == [1, 1, 1, 0]
    assert {(float(row["l1"]), float(row["l1_of_mean"])) for row in rows} == {(0.25, 0.5)}


def evaluate(rank: int, folder: Path, world_size: int, items: int, passes: int) -> str:
    """What a process prints; it evaluates its part of the items, two of them and two views each."""
    import_scripts("pretrain_ssl")
    base = importlib.import_module("scripts.objectives.base")
    samplers = importlib.import_module("scripts.common.data.samplers")
    sampler = samplers.ValidationBatchSampler(items, 2, passes, rank, world_size)

    def step(engine, keys) -> dict:
        engine.state.batch = {"draw": torch.tensor([[*key, 0] for key in keys])}
        numbers = [10.0 * number + index for number, index in keys]
        return {"pred": torch.tensor([*numbers, *(-n for n in numbers)]), "label": None}

    engine = Engine(step)
    data = [{"image": f"{i}.nii"} for i in range(items)]
    engine.data_loader = SimpleNamespace(dataset=SimpleNamespace(data=data))
    metrics = SimpleNamespace(
        of_crops=lambda pred, _: {"l1": pred}, of_validation=lambda *_: {}, chance={"loss": 1.0}
    )
    base.CropsTable(str(folder / "views.csv"), metrics).attach(engine)
    base.MetricsFile(str(folder / "metrics.json"), metrics).attach(engine)
    engine.state.metrics = {"loss": 0.5}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        engine.run(list(sampler))
    return printed.getvalue()


@pytest.mark.parametrize("items, passes", [(5, 2), (1, 1)])  # the one batch is taken twice
def test_two_processes_write_what_one_writes_and_the_first_prints(tmp_path, items, passes):
    one, two = tmp_path / "one", tmp_path / "two"
    printed = evaluate(0, one, 1, items, passes)
    two.mkdir()
    assert in_two_processes(two, evaluate, two, 2, items, passes) == [printed, ""]
    assert (two / "views.csv").read_text() == (one / "views.csv").read_text()
    assert (two / "metrics.json").read_text() == (one / "metrics.json").read_text()
    assert len((one / "views.csv").read_text().splitlines()) == 1 + items * passes * 2
