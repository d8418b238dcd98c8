"""Evaluation figures by hand-computed masks, and the table they are written to."""

import csv
import json
from math import isnan
from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import MetaTensor

NAMES = {"0": "background", "1": "spleen", "2": "liver", "3": "aorta"}
LEFT = np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=bool)
MIDDLE = np.array([0, 0, 1, 1, 1, 1, 0, 0], dtype=bool)
INNER = np.array([0, 0, 0, 1, 0, 0, 0, 0], dtype=bool)
NONE = np.zeros(8, dtype=bool)


@pytest.fixture
def metrics(load_scripts):
    return load_scripts("btcv_segmentation").metrics


@pytest.fixture
def table(metrics, tmp_path):
    return metrics.EvaluationTable(str(tmp_path), NAMES)


def labels(*counts: int) -> np.ndarray:
    """A label map of 24 voxels: so many of label 1, then of label 2, … and background."""
    values = [value for value, count in enumerate(counts, start=1) for _ in range(count)]
    return np.array([*values, *[0] * (24 - len(values))]).reshape(2, 3, 4)


def evaluate(table, cases: list[dict]) -> list[list[str]]:
    """Run an evaluator that gives one case after the other; the rows of the CSV."""
    engine = Engine(lambda engine, case: [case])
    table.attach(engine)
    engine.run(cases)
    with (table.folder / "metrics.csv").open(newline="") as file:
        return list(csv.reader(file))


def case(prediction, reference, name="a", spacing_mm=(1.0, 1.0, 1.0)) -> dict:
    affine = torch.diag(torch.tensor([*spacing_mm, 1.0], dtype=torch.float64))
    return {
        "pred": MetaTensor(torch.from_numpy(prediction)[None].float(), affine=affine),
        "label": MetaTensor(torch.from_numpy(reference)[None].float(), affine=affine),
        "image": MetaTensor(torch.zeros(1), meta={"filename_or_obj": f"/data/{name}.nii.gz"}),
    }


@pytest.mark.parametrize(
    "prediction, expected",
    [(LEFT, 1.0), (~LEFT, 0.0), (MIDDLE, 0.5), (INNER, 0.4), (NONE, 0.0), (~NONE, 2 / 3)],
    ids=["identical", "disjoint", "half", "one voxel of four", "empty", "everything"],
)
def test_dice_is_twice_the_overlap_over_both_sizes(metrics, prediction, expected):
    assert metrics.dice(prediction, LEFT) == pytest.approx(expected)


@pytest.mark.parametrize("prediction", [NONE, LEFT])
def test_dice_is_undefined_without_a_reference(metrics, prediction):
    assert isnan(metrics.dice(prediction, NONE))


def test_each_organ_of_a_case_gets_a_row(table):
    table.add("a", labels(4, 2, 0), labels(2, 4, 3), voxel_ml=1.0)
    assert [(row["label"], row["name"]) for row in table.rows] == [
        (1, "spleen"),
        (2, "liver"),
        (3, "aorta"),
    ]
    # spleen: 2 of 4 and 2; liver: places 4, 5 against 2 to 5; aorta: not found
    assert [row["dice"] for row in table.rows] == [pytest.approx(2 / 3, abs=1e-4)] * 2 + [0.0]


def test_volumes_are_in_millilitres(table):
    table.add("a", labels(4), labels(8), voxel_ml=0.5)
    assert (table.rows[0]["volume_ml"], table.rows[0]["reference_volume_ml"]) == (2.0, 4.0)


def test_rows_of_the_file(table):
    rows = evaluate(table, [case(labels(4, 2), labels(4, 4), "img0001")])
    assert rows == [
        ["case", "label", "name", "dice", "volume_ml", "reference_volume_ml"],
        ["img0001", "1", "spleen", "1.0", "0.004", "0.004"],
        ["img0001", "2", "liver", "0.6667", "0.002", "0.004"],
        ["img0001", "3", "aorta", "", "0.0", "0.0"],
    ]


@pytest.mark.parametrize("spacing_mm", [(2.0, 5.0, 10.0), (-2.0, 5.0, 10.0)])
def test_voxels_volume_is_that_of_an_anisotropic_grid(table, spacing_mm):
    (_, spleen, *_) = evaluate(table, [case(labels(4), labels(8), spacing_mm=spacing_mm)])
    assert spleen[-2:] == ["0.4", "0.8"]  # 2 * 5 * 10 mm³ are 0.1 ml


def test_summary_means_over_the_cases_that_show_an_organ(table):
    table.add("a", labels(4, 4), labels(4, 4), 1.0)
    table.add("b", labels(0, 4), labels(0, 2), 1.0)  # no spleen; liver 2 * 2 / (4 + 2)
    table.add("c", labels(4), labels(2), 1.0)  # no liver; spleen 2 * 2 / (4 + 2)
    means = {"spleen": (1 + 2 / 3) / 2, "liver": (1 + 2 / 3) / 2}
    found = table.summary()
    assert found["cases"] == 3
    assert found["dice"] == {name: pytest.approx(v, abs=1e-4) for name, v in means.items()} | {
        "aorta": None
    }


def test_mean_of_the_organs_weighs_each_organ_once(table):
    table.add("a", labels(4, 4), labels(4, 4), 1.0)
    table.add("b", labels(4), labels(4), 1.0)
    table.add("c", labels(0, 0), labels(0, 4), 1.0)  # spleen 1 in two cases, liver 1 and 0
    assert table.summary()["mean_dice"] == pytest.approx((1 + 0.5) / 2)


def test_summary_is_written_and_shown(table, tmp_path, capsys):
    evaluate(table, [case(labels(4, 2), labels(4, 4))])
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary == {
        "cases": 1,
        "mean_dice": pytest.approx(5 / 6, abs=1e-4),
        "dice": {"spleen": 1.0, "liver": 0.6667, "aorta": None},
    }
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == [
        "1.000",
        "0.667",
        "-",
        "0.833",
    ]


def test_evaluation_without_any_organ_still_ends_with_its_files(table, tmp_path):
    rows = evaluate(table, [case(labels(4), labels())])
    assert [row[3] for row in rows[1:]] == ["", "", ""]
    assert json.loads((tmp_path / "summary.json").read_text())["mean_dice"] is None


def test_cases_of_one_name_in_two_folders_are_two_cases(table):
    evaluate(table, [case(labels(4), labels(4), name) for name in ("p1/ct", "p2/ct")])
    assert table.summary()["cases"] == 2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cases_on_a_gpu_are_measured_too(table):
    item = case(labels(4), labels(4))
    rows = evaluate(table, [{name: value.to("cuda") for name, value in item.items()}])
    assert rows[1][3] == "1.0"


def test_names_of_files_lose_their_ending_alone(table):
    item = case(labels(4), labels(4), "patient.7_ct")
    assert Path(item["image"].meta["filename_or_obj"]).name == "patient.7_ct.nii.gz"
    assert evaluate(table, [item])[1][0] == "patient.7_ct"
