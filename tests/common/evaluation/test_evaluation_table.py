"""Evaluation figures by hand-computed masks, and the rows they make."""

import csv
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import write_nifti
from ignite.engine import Engine, Events
from monai.data import Dataset, MetaTensor
from monai.engines import IterationEvents

from common.evaluation import evaluation_table, organ_metrics
from common.evaluation.evaluation_table import EvaluationTable
from common.evaluation.summary import summarise
from common.runtime import end_of_run
from common.weights import training_images

LABELS = {"0": "background", "1": "spleen", "2": "liver", "3": "aorta"}
AXES_MM = np.eye(3)


@pytest.fixture
def table(tmp_path):
    return evaluation_table.EvaluationTable(str(tmp_path), LABELS)


def labels(*counts: int) -> np.ndarray:
    """A label map of 24 voxels: so many of label 1, then of label 2, … and background."""
    values = [value for value, count in enumerate(counts, start=1) for _ in range(count)]
    return np.array([*values, *[0] * (24 - len(values))]).astype(np.uint8).reshape(2, 3, 4)


def evaluate(table, cases: list[dict]) -> list[list[str]]:
    """Run an evaluator that gives one case after the other; the rows of the CSV."""
    engine = evaluator()
    table.attach(engine)
    engine.run(cases)
    with (table.folder / "metrics.csv").open(newline="") as file:
        return list(csv.reader(file))


def evaluator() -> Engine:
    """An engine whose output is the case, as MONAI's evaluator after its postprocessing."""

    def process(engine: Engine, case: dict) -> list[dict]:
        engine.state.output = [case]
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
        return engine.state.output

    engine = Engine(process)
    engine.register_events(*IterationEvents)
    return engine


def case(prediction, reference, name="a", spacing_mm=(1.0, 1.0, 1.0)) -> dict:
    affine = torch.diag(torch.tensor([*spacing_mm, 1.0], dtype=torch.float64))
    return item(prediction, reference, affine, name)


def item(prediction, reference, affine, name="a") -> dict:
    """What an evaluator's postprocessing leaves of a case."""
    return {
        "pred": MetaTensor(torch.from_numpy(prediction)[None].float(), affine=affine),
        "label": MetaTensor(torch.from_numpy(reference)[None].float(), affine=affine),
        "image": MetaTensor(torch.zeros(1), meta={"filename_or_obj": f"/data/{name}.nii.gz"}),
    }


def test_each_organ_of_a_case_gets_a_row(table):
    table.add("a", labels(4, 2, 0), labels(2, 4, 3), AXES_MM)
    assert [(row["label"], row["name"]) for row in table.rows] == [
        (1, "spleen"),
        (2, "liver"),
        (3, "aorta"),
    ]
    # spleen: 2 of 4 and 2; liver: places 4, 5 against 2 to 5; aorta: not found
    assert [row["dice"] for row in table.rows] == [pytest.approx(2 / 3, abs=1e-4)] * 2 + [0.0]


def test_channels_are_the_numbers_in_ascending_order(tmp_path):
    own = {"0": "background", "200": "tumour", "7": "spleen", "30": "liver"}
    table = evaluation_table.EvaluationTable(str(tmp_path), own)
    table.add("a", labels(1, 2, 3), labels(1, 2, 3), np.diag([10, 10, 10]))
    found = [(row["label"], row["name"], row["volume_ml"]) for row in table.rows]
    assert found == [(7, "spleen", 1.0), (30, "liver", 2.0), (200, "tumour", 3.0)]


@pytest.mark.parametrize(
    "own",
    [{"1": "spleen"}, {"0": "background"}, {"0": "background", "1": "lesion", "2": "lesion"}],
    ids=["no background", "nothing else", "one name twice"],
)
def test_labels_that_make_no_table_are_refused(refusal, tmp_path, own):
    with refusal("need 0, the background"):
        evaluation_table.EvaluationTable(str(tmp_path), own)


def test_volumes_are_in_millilitres(table):
    table.add("a", labels(4), labels(8), np.diag([10, 10, 5]))
    assert (table.rows[0]["volume_ml"], table.rows[0]["reference_volume_ml"]) == (2.0, 4.0)


def test_rows_of_the_file(table):
    rows = evaluate(table, [case(labels(4, 2), labels(4, 4, 0), "img0001")])
    assert rows[:2] == [
        "case,label,name,dice,nsd_1mm,nsd_2mm,hd95_mm,volume_ml,reference_volume_ml".split(","),
        "img0001,1,spleen,1.0,1.0,1.0,0.0,0.004,0.004".split(","),
    ]
    assert rows[2][:4] == ["img0001", "2", "liver", "0.6667"] and rows[2][7:] == ["0.002", "0.004"]
    assert rows[3] == ["img0001", "3", "aorta", "", "", "", "", "0.0", "0.0"]


def test_a_second_run_measures_anew(table):
    """The network may have other weights by then."""
    engine = evaluator()
    table.attach(engine)
    table.trained_on = ["known"]  # by the weights of the run before
    for prediction in (labels(4), labels(0)):
        engine.run([case(prediction, labels(4))])
    assert table.trained_on is None
    assert [row["dice"] for row in table.rows if row["name"] == "spleen"] == [0.0]


def test_the_engine_gets_the_means_of_its_last_run(table):
    """A program that runs the workflow itself reads them there, as MONAI's federated client."""
    engine = evaluator()
    table.attach(engine)
    engine.run([case(labels(4, 2), labels(4, 2)), case(labels(4), labels(4, 2), "b")])
    assert engine.state.metrics == {
        **{"mean_dice": 0.75, "mean_nsd_1mm": 0.75, "mean_nsd_2mm": 0.75},
        "mean_hd95_mm": 0.0,
    }
    engine.run([case(labels(0), labels(4, 2))])  # no HD95 of what is missed
    assert engine.state.metrics == dict.fromkeys(["mean_dice", "mean_nsd_1mm", "mean_nsd_2mm"], 0)


# two voxels, one beside the other along an axis of 1, 2 and 5 mm: half of their surfaces is common
STEPS = [((1, 0, 0), 1.0, 1.0, 1.0), ((0, 1, 0), 0.5, 1.0, 2.0), ((0, 0, 1), 0.5, 0.5, 5.0)]
TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
PERMUTATION = np.array([[0, 0, -1], [1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize("rotation", [np.eye(3), TURN, PERMUTATION, np.diag([-1, -1, 1])], ids=str)
@pytest.mark.parametrize("step, nsd_1mm, nsd_2mm, hd95_mm", STEPS)
def test_surfaces_are_measured_along_the_grids_own_axes(
    table, rotation, step, nsd_1mm, nsd_2mm, hd95_mm
):
    voxel, next_voxel = np.zeros((2, 3, 3, 3), np.uint8)
    voxel[1, 1, 1] = next_voxel[tuple(np.add(1, step))] = 1
    affine = torch.eye(4, dtype=torch.float64)
    affine[:3, :3] = torch.from_numpy(rotation @ np.diag([1.0, 2.0, 5.0]))
    (_, row, *_) = evaluate(table, [item(voxel, next_voxel, affine)])
    assert [float(text) for text in row[3:]] == [0, nsd_1mm, nsd_2mm, hd95_mm, 0.01, 0.01]


def test_volumes_on_a_sheared_grid_are_those_of_its_voxels(table):
    sheared = np.array([[10.0, 4, 0], [0, 10, 3], [0, 0, 10]])
    table.add("a", labels(4), labels(4), sheared)
    assert table.rows[0]["volume_ml"] == 4.0


def test_distances_far_beyond_both_organs_boxes_are_found(table):
    prediction, reference = np.zeros((2, 40, 3, 3), np.uint8)
    prediction[38, 1, 1] = reference[1, 1, 1] = 2
    table.add("a", prediction, reference, AXES_MM)
    assert table.rows[1]["hd95_mm"] == 37.0 and table.rows[1]["nsd_2mm"] == 0.0


def test_columns_follow_the_tolerances(tmp_path):
    table = evaluation_table.EvaluationTable(str(tmp_path), LABELS, tolerances_mm=[3, 0.5, 3])
    table.add("a", labels(4), labels(4), AXES_MM)
    assert list(table.rows[0])[3:7] == ["dice", "nsd_0.5mm", "nsd_3mm", "hd95_mm"]


@pytest.mark.parametrize("tolerances", [[0], [1, -2], ["2"], [True], [float("nan")], "1,2", None])
def test_tolerances_that_are_no_numbers_above_0_are_refused(refusal, tmp_path, tolerances):
    with refusal("--tolerances_mm has .*it takes numbers above 0"):
        evaluation_table.EvaluationTable(str(tmp_path), LABELS, tolerances)


def test_cases_of_one_name_in_two_folders_are_two_cases(table):
    rows = evaluate(table, [case(labels(4), labels(4), name) for name in ("p1/ct", "p2/ct")])
    assert {row[0] for row in rows[1:]} == {"p1/ct", "p2/ct"}


def test_a_label_on_another_grid_is_refused_and_leaves_no_row(table, refusal):
    with refusal(r"^a has \(2, 3, 4\) voxels and its label \(2, 2, 4\); give a label on"):
        table.add("a", labels(2), labels(2)[:, :2], AXES_MM)
    table.add("b", labels(2), labels(2), AXES_MM)
    assert [row["case"] for row in table.rows] == ["b"] * 3


def test_a_case_that_fails_at_its_last_organ_leaves_no_row(table, monkeypatch):
    def fail(*masks):
        raise MemoryError

    monkeypatch.setattr(organ_metrics, "surfaces", fail)
    with pytest.raises(MemoryError):
        table.add("a", labels(0, 0, 2), labels(0, 0, 2), AXES_MM)
    assert table.rows == []


def test_a_case_is_measured_inside_its_iteration(table):
    """So a `ContinueOnErrorEvaluator` goes on after a case that cannot be measured."""
    engine, counts = evaluator(), []
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: counts.append(len(table.rows)))
    table.attach(engine)
    engine.run([case(labels(4), labels(4))])
    assert counts == [3]


def test_where_every_case_failed_the_folder_is_left_as_it_was(table, capsys):
    table.completed(Engine(lambda engine, case: None))
    assert (
        capsys.readouterr().out == f"no case could be evaluated; {table.folder} is left as it was\n"
    )
    assert not list(table.folder.iterdir())


def test_a_name_that_is_no_utf8_is_written_escaped(table):
    rows = evaluate(table, [case(labels(4), labels(4), "ct\udcff")])
    assert rows[1][0] == "ct\\udcff"


def test_several_processes_write_one_table_as_one_process_does(table, tmp_path, monkeypatch):
    """Two of them share three cases; the first is given to both, so that each has two."""
    cases = [case(labels(4 - n, n), labels(4), f"img{n}") for n in range(3)]
    whole = evaluate(table, cases)
    parts = []
    for part in ([cases[0], cases[2]], [cases[1], cases[0]]):
        handler = evaluation_table.EvaluationTable(str(tmp_path / "two"), LABELS)
        for item in part:
            engine = Engine(lambda engine, batch: None)
            engine.state.output = [item]
            handler.model_completed(engine)
        parts.append({"rows": handler.rows, "failed": []})
    monkeypatch.setattr(evaluation_table, "gather", lambda rows: parts)
    monkeypatch.setattr(evaluation_table, "is_main_process", lambda: False)
    handler.completed(engine)
    assert not (tmp_path / "two").exists()  # only the first process writes
    mean = pytest.approx((1 + 6 / 7 + 4 / 6) / 3, abs=1e-4)
    assert engine.state.metrics["mean_dice"] == mean  # all processes know it
    monkeypatch.setattr(evaluation_table, "is_main_process", lambda: True)
    handler.completed(engine)
    with (tmp_path / "two/metrics.csv").open(newline="") as file:
        assert list(csv.reader(file)) == whole


def test_a_case_that_is_listed_twice_counts_once_and_is_named(table, capsys):
    rows = evaluate(table, [case(labels(4), labels(4), name) for name in ("a", "b", "a")])
    assert [row[0] for row in rows[1::3]] == ["a", "b"] and len(rows) == 7
    assert capsys.readouterr().out.startswith("/data/a is listed twice; it counts once\n")


def test_cases_that_failed_are_named_in_the_summary(table, capsys):
    """By the names that they would have in the table; of two processes both may name one."""
    engine = evaluator()
    engine.failed = ["/data/p1/ct.nii.gz", "/data/p1/ct.nii.gz", "/data/bad.nii.gz"]
    table.attach(engine)
    engine.run([case(labels(4), labels(4), "p2/ct")])
    summary = json.loads((table.folder / "summary.json").read_text())
    assert summary["failed"] == ["p1/ct", "bad"] and summary["trained_on"] is None
    assert "failed, in no mean (2): p1/ct, bad" in capsys.readouterr().out
    with (table.folder / "metrics.csv").open() as file:
        assert next(csv.DictReader(file))["case"] == "p2/ct"


@pytest.fixture
def images(tmp_path) -> list[str]:
    return [write_nifti(tmp_path / f"data/{n}.nii.gz", labels(n)) for n in range(3)]


def evaluate_images(table, images: list[str], notes: dict) -> dict:
    """The summary of an evaluation of these files by weights with these notes, by file."""
    engine = evaluator()
    engine.inferer = SimpleNamespace(notes=notes)
    engine.data_loader = SimpleNamespace(dataset=Dataset([{"image": path} for path in images]))
    table.attach(engine)
    cases = [case(labels(4), labels(4)) for _ in images]
    for one, path in zip(cases, images):
        one["image"].meta["filename_or_obj"] = path
    engine.run(cases)
    return json.loads((table.folder / "summary.json").read_text())


def test_cases_that_the_weights_were_trained_on_are_told_and_named(
    table, images, tmp_path, caplog, monkeypatch
):
    copy = shutil.copy(images[1], tmp_path / "data/other_name.nii.gz")
    lists = [training_images.digest_images([{"image": i, "label": ""}]) for i in (images[1], copy)]
    assert lists[0] == lists[1]  # the name does not count
    monkeypatch.setattr(end_of_run, "_lines", {})
    notes = {"fold0.pt": {"training_images": lists[0]}, "fold1.pt": {"training_images": ["v2:0"]}}
    summary = evaluate_images(table, images, notes)
    line = "1 of 3 cases were trained on by fold0.pt: their figures tell nothing about new images"
    assert summary["trained_on"] == ["1"] and summary["failed"] == []
    assert caplog.messages.count(line) == 1 and line in end_of_run._lines  # and at the end


def test_of_weights_without_a_list_nothing_is_claimed(table, images, caplog):
    caplog.set_level("INFO")
    assert evaluate_images(table, images, {"old.pt": {}})["trained_on"] is None
    (line,) = [text for text in caplog.messages if "trained" in text]
    assert line.startswith("the weights do not tell which images they were trained on")
    caplog.clear()
    assert (
        evaluate_images(table, images, {"a.pt": {"training_images": ["v2:0"]}})["trained_on"] == []
    )
    assert not [text for text in caplog.messages if "trained" in text]


def test_digests_of_an_older_kind_claim_nothing_and_a_line_says_so(table, images, caplog):
    caplog.set_level("INFO")
    notes = {"old.pt": {"training_images": ["1234abcd", "0"]}}
    assert evaluate_images(table, images, notes)["trained_on"] is None
    first, second = [text for text in caplog.messages if "train" in text]
    assert first.startswith("old.pt notes 2 training images by older digests")
    assert second.startswith("the weights do not tell which images they were trained on")
    caplog.clear()
    (digest,) = training_images.digest_images([{"image": images[1], "label": ""}])
    notes["old.pt"]["training_images"].append(digest)  # a training that started from them
    assert evaluate_images(table, images, notes)["trained_on"] == ["1"]
    assert "old.pt notes 2 training images by older digests" in caplog.text


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cases_on_a_gpu_are_measured_too(table):
    on_cpu = case(labels(4), labels(4))
    rows = evaluate(table, [{name: value.to("cuda") for name, value in on_cpu.items()}])
    assert rows[1][3] == "1.0"


def test_names_of_files_lose_their_ending_alone(table):
    dotted = case(labels(4), labels(4), "patient.7_ct")
    assert Path(dotted["image"].meta["filename_or_obj"]).name == "patient.7_ct.nii.gz"
    assert evaluate(table, [dotted])[1][0] == "patient.7_ct"


def test_regions_are_measured_beside_the_labels_and_are_in_no_mean(tmp_path):
    labels = {"0": "background", "1": "edema", "2": "core", "4": "enhancing"}
    regions = {"whole tumour": [1, 2, 4], "tumour core": [2, 4]}
    table = EvaluationTable(str(tmp_path), labels, [1], regions)
    reference, prediction = np.zeros((2, 8, 8, 8), np.uint8)
    reference[2:6, 2:6, 2:6], reference[4:6, 2:6, 2:6] = 1, 2  # channels
    prediction[2:6, 2:6, 2:6] = 3  # all of the tumour, under another label
    table.add("a", prediction, reference, np.eye(3))
    found = {row["name"]: row for row in table.rows}
    assert [row["label"] for row in table.rows] == [1, 2, 4, 256, 257]
    assert found["whole tumour"]["dice"] == 1 and found["whole tumour"]["nsd_1mm"] == 1
    assert found["tumour core"]["dice"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["edema"]["dice"] == found["core"]["dice"] == 0
    summary = summarise(pd.DataFrame(table.rows))
    assert summary["mean_dice"] == 0 and list(summary["dice"]) == ["edema", "core", "enhancing"]
    assert summary["organs"]["whole tumour"]["dice"]["mean"] == 1
