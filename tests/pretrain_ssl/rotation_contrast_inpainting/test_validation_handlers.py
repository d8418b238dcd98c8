"""What a validation tells: in words, in files, for every view."""

import csv
import json
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine


@pytest.mark.parametrize("cosine, warns", [(0.99, True), (0.5, False)])
def test_a_collapse_is_told_in_words(objective, caplog, cosine, warns):
    engine = Engine(lambda engine, batch: None)
    objective.validation_handlers.CollapseWarning().attach(engine)
    engine.state.metrics = {"mean_cosine": cosine, "contrastive_top1": 0.1}
    engine.run([0])
    assert ("collapsed: different volumes have a mean cosine" in caplog.text) == warns


def test_figures_file_holds_the_plain_numbers(objective, tmp_path, capsys):
    engine = Engine(lambda engine, batch: None)
    objective.validation_handlers.MetricsFile(str(tmp_path / "evaluation/figures.json")).attach(
        engine
    )
    engine.state.metrics = {"loss": torch.tensor(0.5), "accuracy": 0.25, "all": {"loss": 0.5}}
    engine.run([0])
    kept = json.loads((tmp_path / "evaluation/figures.json").read_text())
    assert kept == {"loss": 0.5, "accuracy": 0.25}
    assert capsys.readouterr().out == "loss: 0.5000\naccuracy: 0.2500\n"


def test_every_view_has_a_row_with_its_image_pass_and_figures(objective, tmp_path):
    truth = torch.tensor([0.0, 1.0]).reshape(1, 1, 2, 1, 1).repeat(4, 1, 1, 1, 1)
    pred = {
        "rotation": torch.eye(4),
        "embedding": torch.eye(2).repeat(2, 1),
        "reconstruction": truth * 0.5,
    }
    target = {"rotation": torch.tensor([0, 1, 2, 0]), "reconstruction": truth}
    batch = {"draw": torch.tensor([[3, 1, 0], [3, 0, 0]])}
    engine = Engine(lambda engine, _: {"pred": pred, "label": target})
    items = SimpleNamespace(data=[{"image": "a.nii"}, {"image": "b.nii"}])
    engine.data_loader = SimpleNamespace(dataset=items)
    objective.validation_handlers.ViewsTable(str(tmp_path / "views.csv")).attach(engine)
    engine.run([batch])
    with (tmp_path / "views.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["image"], r["pass"], r["view"]) for r in rows] == [
        ("b.nii", "3", "0"),
        ("a.nii", "3", "0"),
        ("b.nii", "3", "1"),
        ("a.nii", "3", "1"),
    ]
    assert [float(row["rotation_accuracy"]) for row in rows] == [1, 1, 1, 0]
    assert {(float(row["l1"]), float(row["l1_of_mean"])) for row in rows} == {(0.25, 0.5)}
