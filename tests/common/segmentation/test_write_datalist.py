"""What a datalist gets, and that problems are printed before the refusal."""

import json

import pytest

from common.errors import InputError
from common.segmentation.check_files import CheckResult
from common.segmentation.write_datalist import (
    add_folds,
    list_missing_labels,
    refuse,
    write_datalist,
)


def test_paths_are_relative_and_notes_come_first(tmp_path):
    pairs = [
        {"image": str(tmp_path / f"i/{n}.nii"), "label": str(tmp_path / f"l/{n}.nii")}
        for n in range(5)
    ]
    sections = {"training": add_folds(pairs, seed=0), "test": [tmp_path / "t/9.nii"]}
    output = tmp_path / "lists/a.json"
    text = write_datalist(str(output), tmp_path, sections, ["a line"], {"msd_orientation": True})
    content = json.loads(output.read_text())
    assert list(content) == ["msd_orientation", "training", "test"]
    assert content["training"][0]["image"] == "i/0.nii" and content["test"] == ["t/9.nii"]
    assert {item["fold"] for item in content["training"]} == set(range(5))
    assert text.splitlines()[0] == "a line" and f"--datalist {output}" in text


def test_problems_are_printed_and_counted(capsys):
    refuse([])
    for problems, count in ((["a"], "1 problem,"), (["a", "b"], "2 problems,")):
        with pytest.raises(InputError, match=count):
            refuse(problems)
        assert capsys.readouterr().err.split() == problems


def test_labels_that_images_do_not_show_are_listed():
    result = CheckResult(numbers={"/a/x.nii.gz": {1}, "/a/y.nii.gz": {1, 2}})
    names = {"0": "background", "1": "liver", "2": "tumour"}
    assert list_missing_labels(result, names) == ["tumour is not in x"]
