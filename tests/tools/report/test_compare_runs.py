"""Curves of several runs in one picture."""

import pytest
from matplotlib.figure import Figure
from PIL import Image

from common.cli import commands
from common.errors import InputError
from tools.report.compare_runs import compare_runs, save_png


def run_folder(folder, name: str, rows: list[str]) -> str:
    (folder / name).mkdir()
    (folder / name / "metrics.csv").write_text("\n".join(["iteration,name,value", *rows]) + "\n")
    return str(folder / name)


def test_every_figure_has_a_panel_and_the_runs_share_it(tmp_path, capsys):
    rows = [f"{i},train/loss,{1 / i}" for i in (1, 2, 3)] + ["3,validation/psnr,20"]
    runs = [run_folder(tmp_path, name, rows) for name in ("a", "b")]
    output = tmp_path / "new/curves.png"
    compare_runs(str(output), runs=runs, figures=["train/loss", "validation/psnr"])
    with Image.open(output) as picture:
        assert picture.size == (2 * 408, 300)
    assert "2 figures of 2 runs" in capsys.readouterr().out


def test_unknown_figure_and_missing_run_are_named(tmp_path):
    run = run_folder(tmp_path, "a", ["1,train/loss,1"])
    with pytest.raises(InputError, match="no run has a figure train/lost"):
        compare_runs(str(tmp_path / "x.png"), runs=[run], figures=["train/lost"])
    with pytest.raises(InputError, match="nowhere"):
        compare_runs(
            str(tmp_path / "x.png"), runs=[str(tmp_path / "nowhere")], figures=["train/loss"]
        )
    flags = ["--runs", run, "--figures", "train/loss", "--columns", "0"]
    with pytest.raises(SystemExit, match="takes a whole number of 1 or more, not 0"):
        commands.run(compare_runs, arguments=[str(tmp_path / "x.png"), *flags])
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("x.jpg", "x.jpg does not end in .png"), ("a/metrics.csv/x.png", "x.png cannot be written")],
)
def test_what_cannot_be_written_is_refused_before_any_run_is_read(tmp_path, name, sentence):
    run = run_folder(tmp_path, "a", ["1,train/loss,1"])
    with pytest.raises(InputError, match=sentence):
        compare_runs(str(tmp_path / name), runs=[f"{run}/none"], figures=["train/loss"])
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_picture_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="x.png cannot be written"):
        save_png(Figure(), tmp_path / "file/x.png")
