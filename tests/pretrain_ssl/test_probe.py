"""Probes: exact against brute force, chance on noise, patients in one fold, refusals."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from common.cli.commands import run


@pytest.fixture
def part(scripts):
    """`part("folds")` is that module of `scripts.embeddings.probe`."""
    return lambda name: importlib.import_module(f"scripts.embeddings.probe.{name}")


def write(path: Path, header: str, rows: list) -> str:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return str(path)


def tables(folder: Path, features: np.ndarray, labels: list, patients: list | None = None) -> tuple:
    """The paths of an embeddings.csv of one stage and of its labels."""
    names = [f"a/{number}.nii" for number in range(len(labels))]
    columns = ",".join(f"stage4_{f}" for f in range(features.shape[1]))
    rows = [[name, *row] for name, row in zip(names, features.tolist())]
    first = write(folder / "embeddings.csv", f"image,{columns}", rows)
    header, rows = "image,label", list(zip(names, labels))
    if patients:
        header, rows = "image,label,patient", list(zip(names, labels, patients))
    return first, write(folder / "labels.csv", header, rows)


def scores(text: str) -> list[float]:
    """Linear, nearest and chance of the last row."""
    return [
        float(cell.split(" ± ")[0]) for cell in text.splitlines()[-1].split("  ") if "±" in cell
    ]


def by_hand(train, targets, test, penalty):
    """Ridge with a free intercept, by its normal equations."""
    mean, offset = train.mean(0), targets.mean(0)
    square = (train - mean).T @ (train - mean) + penalty * torch.eye(train.shape[1]).double()
    return (test - mean) @ torch.linalg.solve(
        square, (train - mean).T @ (targets - offset)
    ) + offset


@pytest.mark.parametrize("features", [3, 30])
def test_ridge_is_that_of_the_least_left_out_error_by_brute_force(part, features):
    probes = part("probes")
    train, test = torch.randn(12, features).double(), torch.randn(5, features).double()
    targets = train[:, :2] + 0.5 * torch.randn(12, 2).double()
    train, test = probes.standardise(train, test)
    unit = torch.linalg.eigvalsh(train @ train.T).mean()
    errors = {}
    for penalty in (float(each * unit) for each in probes.PENALTIES):
        left_out = [
            by_hand(train[kept], targets[kept], train[[i]], penalty) - targets[i]
            for i in range(12)
            for kept in [[j for j in range(12) if j != i]]
        ]
        errors[penalty] = torch.cat(left_out).square().mean()
    best = min(errors, key=errors.get)
    expected = by_hand(train, targets, test, best)
    assert torch.allclose(probes.ridge(train, targets, test), expected, atol=1e-8)


def test_nearest_goes_by_the_angle_and_breaks_ties(part):
    train = torch.tensor([[9.0, 0.0], [0.1, 0.1], [0.0, 5.0]]).double()
    targets = torch.eye(3).double()
    test = torch.tensor([[1.0, 0.9], [0.1, 4.0]]).double()
    nearest = part("probes").nearest
    assert nearest(train, targets, test).argmax(dim=1).tolist() == [1, 2]
    assert nearest(train, targets, test, neighbours=2).argmax(dim=1).tolist() == [1, 2]
    assert nearest(train, targets, test, neighbours=9)[0].tolist() == pytest.approx([1 / 3] * 3)


def test_constant_features_count_nothing(part):
    train, test = part("probes").standardise(torch.tensor([[7.0, 1], [7, 3]]), torch.ones(1, 2))
    assert train.tolist() == [[0, -1], [0, 1]] and test.tolist() == [[0, -1]]


def test_folds_keep_patients_together_and_classes_even(part):
    patients = [f"p{number // 2}" for number in range(40)]
    classes = ["rare" if number < 10 else "often" for number in range(40)]
    split = part("folds").split_folds
    folds = split(patients, 5, 0, classes)
    assert all(folds[i] == folds[i + 1] for i in range(0, 40, 2))
    assert [sum(folds[:10] == fold) for fold in range(5)] == [2] * 5
    assert [sum(folds == fold) for fold in range(5)] == [8] * 5
    assert np.array_equal(folds, split(patients, 5, 0, classes))
    assert not np.array_equal(folds, split(patients, 5, 1, classes))
    assert sorted(set(split(patients, 99, 0))) == list(range(20))


def test_classes_that_the_features_tell_and_classes_that_they_do_not(part, tmp_path):
    rng, labels = np.random.default_rng(0), ["liver", "lung", "lung"] * 20
    told = rng.normal(size=(60, 8)) * 0.1 + np.array([[label == "lung"] for label in labels])
    probe = part("commands").probe
    text = probe(*tables(tmp_path, told, labels))
    assert scores(text) == [1.0, 1.0, pytest.approx(2 / 3, abs=1e-3)]
    assert "classes liver (20), lung (40); 60 images of 60 patients" in text
    noise = scores(probe(*tables(tmp_path, rng.normal(size=(60, 8)), labels)))
    assert noise[0] < 0.8 and noise[1] < 0.8


@pytest.mark.parametrize("folds", [2, 5, 1000])
@pytest.mark.parametrize(
    ("labels", "share"), [("ab" * 15, 0.5), ("abc" * 10, 1 / 3), ("aab" * 10, 2 / 3)]
)
def test_chance_is_the_share_of_the_most_frequent_class(part, tmp_path, folds, labels, share):
    features = np.random.default_rng(0).normal(size=(30, 4))
    text = part("commands").probe(*tables(tmp_path, features, list(labels)), folds=folds)
    assert scores(text)[2] == pytest.approx(share, abs=1e-3)


def test_numbers_with_many_values_are_regressed(part, tmp_path):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 4))
    ages = (50 + 10 * features[:, 1]).round(3).tolist()
    text = part("commands").probe(*tables(tmp_path, features, ages))
    linear, nearest, chance = scores(text)
    assert linear < 0.1 and linear < nearest < chance
    assert chance == pytest.approx(np.abs(np.array(ages) - np.mean(ages)).mean(), rel=0.05)
    assert "mean absolute error" in text and "values from" in text


def test_a_patient_in_two_folds_would_leak(part, tmp_path):
    """Features tell the patient, and nothing of the label, which each patient has by chance."""
    rng, patients = np.random.default_rng(3), [f"p{number // 3}" for number in range(180)]
    of_patient, marks = rng.permutation(60) % 2, rng.normal(size=(60, 12))
    features = np.repeat(marks, 3, axis=0) + 0.01 * rng.normal(size=(180, 12))
    labels = [f"class{of_patient[number // 3]}" for number in range(180)]
    probe = part("commands").probe
    leaked = scores(probe(*tables(tmp_path, features, labels)))
    kept = scores(probe(*tables(tmp_path, features, labels, patients)))
    assert leaked[1] > 0.9 and kept[1] < 0.7


def test_rows_of_one_table_alone_are_named_and_file_names_match(part, tmp_path):
    first, _ = tables(tmp_path, np.arange(12.0).reshape(6, 2), list("aabbab"))
    rows = [["0.nii", "a"], ["a/1.nii", "a"], ["2.nii", "b"], ["3.nii", "b"], ["x.nii", "b"]]
    text = part("commands").probe(first, write(tmp_path / "l.csv", "image,label", rows), folds=2)
    assert "embeddings.csv has no row of them: x.nii" in text
    assert "l.csv has no row of them: a/4.nii, a/5.nii" in text
    assert "4 images" in text


HEADER = "image,label"
ROWS = [["0.nii", "a"], ["1.nii", "a"], ["2.nii", "b"], ["3.nii", "b"]]


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [
        ("name,label", ROWS, "has no column image; it has name, label"),
        (HEADER, [], "has no row below"),
        (HEADER, [*ROWS[:3], ["3.nii", ""]], "has no label for 3.nii"),
        (HEADER, [*ROWS, ROWS[0]], "names 0.nii twice"),
        (HEADER, [*ROWS, ["a/0.nii", "b"]], "names a/0.nii twice"),
        (HEADER, [["z.nii", "a"]], "no image of .* is in"),
        (HEADER, [[name, "a"] for name, _ in ROWS], "one label alone"),
        (HEADER, [[name, f"x{name}"] for name, _ in ROWS], "another label for each image"),
        (f"{HEADER},patient", [[*row, "p"] for row in ROWS], "all images are of one patient"),
    ],
)
def test_labels_that_are_no_use_are_refused(part, refusal, tmp_path, header, rows, words):
    first, _ = tables(tmp_path, np.random.default_rng(0).normal(size=(6, 2)), list("aabbab"))
    with refusal(words):
        part("commands").probe(first, write(tmp_path / "l.csv", header, rows))


@pytest.mark.parametrize(
    ("flag", "value", "least"),
    [("--folds", "1", 2), ("--folds", "0", 2), ("--folds", "2.5", 2), ("--neighbours", "0", 1)],
)
def test_numbers_have_ranges(part, tmp_path, flag, value, least):
    files = tables(tmp_path, np.random.default_rng(0).normal(size=(4, 2)), list("aabb"))
    words = f"{flag}.*: takes a whole number of {least} or more.*, not {value}"
    with pytest.raises(SystemExit, match=words):
        run(part("commands").COMMANDS, arguments=[*files, flag, value])


def test_embeddings_that_are_no_use_are_refused(part, refusal, tmp_path):
    first, second = tables(tmp_path, np.random.default_rng(0).normal(size=(4, 2)), list("aabb"))
    probe, text = part("commands").probe, Path(first).read_text()
    with refusal("no numbers"):
        probe(first, second, kind="values")
    with refusal("cannot be read"):
        probe(str(tmp_path / "none.csv"), second)
    with refusal("no column stage0_0"):
        probe(second, second)
    Path(first).write_text(text.rsplit(",", 1)[0] + ",nan\n")
    with refusal("has nan as stage4_1 of a/3.nii"):
        probe(first, second)
