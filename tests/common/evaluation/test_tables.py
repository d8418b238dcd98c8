"""The folder of an evaluation: whole files, valid JSON, a picture that shows every organ."""

import csv
import json
import sys
from math import isnan, nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from common.evaluation import tables

NAMES = ["metrics.csv", "summary.json", "boxplots.png"]


def rows(cases=3, organs=("spleen", "liver"), undefined=()) -> pd.DataFrame:
    """So many cases of these organs; those undefined are in no reference."""
    return pd.DataFrame(
        {
            "case": f"img{case}",
            "label": label,
            "name": name,
            "dice": nan if name in undefined else 0.5 + case / 10,
            "nsd_1mm": nan if name in undefined else 0.4 + case / 10,
            "nsd_2mm": nan if name in undefined else 0.6 + case / 10,
            "hd95_mm": nan if name in undefined else 3.25 + case,
            "volume_ml": 1.0,
            "reference_volume_ml": 0.0 if name in undefined else 2.0,
        }
        for case in range(cases)
        for label, name in enumerate(organs, start=1)
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_three_files_are_written_and_the_table_printed(tmp_path, capsys):
    folder = tmp_path / "evaluation" / "fold0"
    tables.write_and_print(folder, rows(undefined=["liver"]))
    assert sorted(contents(folder)) == sorted(NAMES)
    with (folder / "metrics.csv").open(newline="") as file:
        assert list(csv.reader(file))[2] == "img0,2,liver,,,,,1.0,0.0".split(",")
    text = (folder / "summary.json").read_text()
    assert "NaN" not in text and json.loads(text)["dice"] == {"spleen": 0.6, "liver": None}
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == (
        "spleen                       Dice 0.600  NSD 1mm 0.500  NSD 2mm 0.700  HD95   4.2 mm"
    )


def test_a_second_evaluation_replaces_the_first(tmp_path):
    tables.write_and_print(tmp_path, rows(3))
    first = contents(tmp_path)
    tables.write_and_print(tmp_path, rows(2))
    second = contents(tmp_path)
    assert sorted(second) == sorted(NAMES) and not set(first.values()) & set(second.values())


@pytest.mark.parametrize("failing", ["write_bytes", "savefig"])
def test_an_evaluation_that_fails_leaves_the_one_before(tmp_path, monkeypatch, failing, refusal):
    tables.write_and_print(tmp_path, rows(3))
    before = contents(tmp_path)

    def fail(self, *args, **kwargs):
        if failing == "savefig" or "boxplots" in self.name:  # the disk is full at the last file
            raise OSError("No space left on device")
        return original(self, *args, **kwargs)

    owner = Figure if failing == "savefig" else Path
    original = getattr(owner, failing)
    monkeypatch.setattr(owner, failing, fail)
    with refusal(f"{tmp_path} cannot be written .No space left on device.*printed"):
        tables.write_and_print(tmp_path, rows(2))
    assert contents(tmp_path) == before


def test_without_matplotlib_the_figures_stay_and_a_line_says_how_to_get_the_plots(
    tmp_path, monkeypatch, capsys
):
    tables.write_and_print(tmp_path, rows(3))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    tables.write_and_print(tmp_path, rows(2))
    assert sorted(contents(tmp_path)) == sorted(NAMES[:2])  # an old picture would mislead
    assert json.loads((tmp_path / "summary.json").read_text())["cases"] == 2
    assert "pip install matplotlib" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("cases, organs", [(1, 1), (5, 13), (30, 2)])
def test_the_picture_has_a_box_per_organ_and_a_point_per_case(tmp_path, monkeypatch, cases, organs):
    figures = []
    original = Figure.savefig
    monkeypatch.setattr(
        Figure,
        "savefig",
        lambda self, *args, **options: figures.append(self) or original(self, *args, **options),
    )
    names = [f"organ {number}" for number in range(organs)]
    tables.write_and_print(tmp_path, rows(cases, [*names, "absent"], undefined=["absent"]))
    assert (tmp_path / "boxplots.png").read_bytes().startswith(b"\x89PNG")
    assert imread(tmp_path / "boxplots.png").std() > 0.01
    panels = figures[0].axes
    assert [axes.get_title() for axes in panels] == [
        "Dice",
        "NSD at 1 mm",
        "NSD at 2 mm",
        "HD95 (mm, less is better)",
    ]
    labels = [text.get_text() for text in panels[0].get_yticklabels()]
    assert labels == [*names, "absent"]
    for axes in panels:
        points = [line for line in axes.lines if line.get_marker() == "o"]
        medians = [line for line in axes.lines if line.get_color() == "black"]
        assert len(points) == len(medians) == organs
        assert all(len(line.get_xdata()) == cases for line in points)


def test_a_picture_without_any_figure_is_drawn_too(tmp_path):
    tables.write_and_print(tmp_path, rows(undefined=["spleen", "liver"]))
    assert (tmp_path / "boxplots.png").stat().st_size > 1000


def test_rows_are_read_as_they_were_written(tmp_path):
    written = rows(undefined=["liver"])
    tables.write_and_print(tmp_path, written)
    read = tables.read_table(str(tmp_path))
    pd.testing.assert_frame_equal(read, written, check_exact=True)


def test_a_single_voxel_never_rounds_to_an_empty_organ():
    assert tables.volume(1e-7) == 1e-7 and tables.volume(1502.34567) == 1502.35


HEADER = "case,label,name,dice,nsd_1mm,hd95_mm,volume_ml,reference_volume_ml"


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEADER,
        "case,label,name,dice\na,1,spleen,0.5",
        f"{HEADER}\na,1,spleen,0.5,0.5,2.0,1.0",
        f"{HEADER}\na,1,spleen,0.5,0.5,2.0,1.0,1.0,1.0",
        f"{HEADER}\na,one,spleen,0.5,0.5,2.0,1.0,1.0",
    ],
    ids=["empty", "no rows", "no such columns", "short", "long", "no number"],
)
def test_what_is_no_table_of_an_evaluation_is_refused(refusal, tmp_path, text):
    (tmp_path / "metrics.csv").write_text(text)
    with refusal(f"{tmp_path}/metrics.csv is not the table of an evaluation"):
        tables.read_table(str(tmp_path))


def test_a_folder_without_evaluation_is_refused(refusal, tmp_path):
    with refusal("none has no metrics.csv"):
        tables.read_table(str(tmp_path / "none"))


def test_what_is_written_is_read_back_to_the_last_digit(tmp_path):
    names = ['a,b "c"', "line\nbreak", "NA", "001", "Jürgen"]
    table = pd.concat([rows(1).assign(case=name) for name in names], ignore_index=True)
    random = np.random.default_rng(0)
    table["hd95_mm"] = random.random(len(table)) * 10.0 ** random.integers(-6, 3, len(table))
    tables.write_and_print(tmp_path, table)
    pd.testing.assert_frame_equal(tables.read_table(tmp_path), table, check_exact=True)


@pytest.mark.parametrize("edit", ["\ufeff{}", "{}\n\n", "{}"], ids=["BOM", "empty lines", "LF"])
def test_a_table_that_an_editor_saved_again_is_read(tmp_path, edit):
    text = edit.format(f"{HEADER}\na,1,spleen,0.5,nan,,1.0,1.0\n")
    (tmp_path / "metrics.csv").write_text(text, encoding="utf-8")
    (row,) = tables.read_table(tmp_path).to_dict("records")
    assert list(row.values())[:4] == ["a", 1, "spleen", 0.5]
    assert isnan(row["nsd_1mm"]) and isnan(row["hd95_mm"])


ROW = "a,1,spleen,0.5,0.5,2.0,1.0,1.0"
DAMAGED = {
    "semicolons": (f"{HEADER}\n{ROW}".replace(",", ";"), "its first line is case;label;name"),
    "comma": (f'{HEADER}\na,1,spleen,"0,5",0.5,2.0,1.0,1.0', "'0,5'"),
    "date": (f"{HEADER}\na,1,spleen,0.5,0.5,02. Jan,1.0,1.0", "'02. Jan'"),
    "per cent": (f"{HEADER}\n{ROW}\nb,1,spleen,93,0.5,2.0,1.0,1.0", "line 3 has dice 93"),
    "negative": (f"{HEADER}\na,1,spleen,0.5,0.5,-2.0,1.0,1.0", "line 2 has hd95_mm -2"),
    "infinite": (f"{HEADER}\na,1,spleen,0.5,0.5,inf,1.0,1.0", "line 2 has hd95_mm inf"),
    "cut": (f"{HEADER}\n{ROW}\nb,1,spleen,0.5,0", "line 3 has volume_ml nan"),
    "zeros": (f"{HEADER}\n{ROW}\n\0\0\0", "column 'label'"),
    "no row": (f"{HEADER}\n{ROW}\nb,1,spleen,0,0,,0,1\nb,2,liver,0,0,,0,1", "a has 0 .*2, liver"),
    "row twice": (f"{HEADER}\n{ROW}\n{ROW}", "a has 2 rows of label 1, spleen"),
    "before": ("case,label,name,dice\na,1,spleen,0.5", "its first line is case,label,name,dice"),
}


@pytest.mark.parametrize("text, reason", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_table_is_refused_with_the_reason(refusal, tmp_path, text, reason):
    (tmp_path / "metrics.csv").write_text(text)
    with refusal(f"metrics.csv is not the table of an evaluation .*{reason}"):
        tables.read_table(tmp_path)


def test_where_nothing_can_be_written_all_is_printed(refusal, tmp_path, capsys):
    (tmp_path / "file").touch()
    with refusal(f"{tmp_path}/file cannot be written .File exists.*save it as metrics.csv"):
        tables.write_and_print(tmp_path / "file", rows())
    printed = capsys.readouterr().out
    assert "img1,2,liver,0.6,0.5,0.7,4.25,1.0,2.0" in printed.splitlines()
    assert "mean of the organs           Dice 0.600" in printed


def test_a_picture_that_fails_costs_no_number(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tables, "boxplots", lambda table: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tables.write_and_print(tmp_path, rows())
    assert "img1,2,liver,0.6,0.5,0.7,4.25,1.0,2.0" in capsys.readouterr().out


def test_tolerances_of_one_name_are_one():
    assert tables.check_tolerances([2, 1.0, 1.0000001]) == [1.0000001, 2]
