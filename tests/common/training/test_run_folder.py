"""The folder of a run: a new one, or that of the run which a command goes on with."""

import json
import sys
from multiprocessing import get_context
from pathlib import Path

import pytest
from helpers import write_json

from common.training import run_folder


@pytest.fixture
def command(tmp_path, monkeypatch):
    """`command("--epochs", "7")` is the folder that this `monai.bundle run` trains in."""
    config = write_json(tmp_path / "train.json", {"epochs": 5, "resume": "auto", "a": {"b": 1}})

    def folder(*flags: str, resume: str = "auto", **read) -> str:
        arguments = ["run", "--config_file", config, *flags]
        monkeypatch.setattr(sys, "argv", ["/x/monai/bundle/__main__.py", *arguments])
        return Path(run_folder.open_run_folder(str(tmp_path / "a"), resume, **read)).name

    return folder


@pytest.fixture
def kept(command, tmp_path):
    """`command`, whose first run has a checkpoint; without one it binds no other command."""

    def folder(*flags: str, **read) -> str:
        name = command(*flags, **read)
        (tmp_path / name / "checkpoints").mkdir(exist_ok=True)
        (tmp_path / name / "checkpoints/iteration_2.pt").touch()
        return name

    return folder


def test_first_run_takes_the_folder_itself(command):
    assert command() == "a"


def test_empty_folder_is_taken(command, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/.lock").touch()  # what a run leaves that was killed at once
    assert command() == "a"


def test_equal_command_goes_on(command, tmp_path):
    command("--epochs", "7")
    before = (tmp_path / "a/config.json").read_bytes()
    assert command("--epochs", "7") == "a"
    assert (tmp_path / "a/config.json").read_bytes() == before


@pytest.mark.parametrize("flags", [("--num_workers", "3"), ("--resume", "auto"), ("--epochs", "5")])
def test_what_changes_nothing_may_differ(command, flags):
    command()
    assert command(*flags) == "a"


@pytest.mark.parametrize(
    "flags, change", [(("--epochs", "6"), "epochs was 5, is 6"), (("--a::b", "2"), "b was 1, is 2")]
)
def test_another_configuration_is_refused_by_name(kept, refusal, flags, change):
    kept()
    with refusal(change):
        kept(*flags)


def test_a_run_without_a_checkpoint_takes_another_configuration(command, tmp_path, caplog):
    caplog.set_level("INFO")
    command("--batch_size", "8")  # and then the memory did not suffice
    assert command("--batch_size", "4") == "a"
    assert "a has no checkpoint yet: this command's configuration replaces its own" in caplog.text
    kept = json.loads((tmp_path / "a/config.json").read_text())
    assert kept["config"]["batch_size"] == kept["flags"]["batch_size"] == 4
    caplog.clear()
    assert command("--batch_size", "4") == "a" and "replaces" not in caplog.text


def test_a_half_written_checkpoint_binds_no_configuration(command, tmp_path):
    """A run that was killed while it wrote its first state goes on as one without a checkpoint."""
    command("--batch_size", "8")
    folder = tmp_path / "a/checkpoints"
    folder.mkdir()
    (folder / ".half_written_node_1_iteration_1.pt").write_text("half")
    assert command("--batch_size", "4") == "a"
    kept = json.loads((tmp_path / "a/config.json").read_text())
    assert kept["config"]["batch_size"] == 4


@pytest.mark.parametrize("name", ["iteration_7.pt", "best.pt"])
def test_a_state_binds_the_configuration(command, refusal, tmp_path, name):
    command("--batch_size", "8")
    (tmp_path / "a/checkpoints").mkdir()
    (tmp_path / "a/checkpoints" / name).write_text("state")
    with refusal("batch_size was 8, is 4"):
        command("--batch_size", "4")


def test_no_configuration_is_replaced_while_its_run_is_in_use(
    command, refusal, tmp_path, monkeypatch
):
    command("--epochs", "7")
    before = (tmp_path / "a/config.json").read_bytes()
    monkeypatch.setattr(sys, "argv", [*sys.argv[:-1], "8"])
    with get_context("fork").Pool(1) as other, refusal("a is in use by another process"):
        other.apply(run_folder.open_run_folder, (str(tmp_path / "a"), "auto"))
    assert (tmp_path / "a/config.json").read_bytes() == before


def test_a_value_that_the_datalist_sets_is_compared(kept, refusal):
    kept(msd_orientation=True)
    assert kept(msd_orientation=True) == "a"
    with refusal("msd_orientation was True, is False"):
        kept(msd_orientation=False)


def test_many_changes_are_counted(kept, refusal):
    kept()
    with refusal(r"\(epochs was 5, is 6, c was None, is 1, d was None, is 1 and 1 more\)"):
        kept("--epochs", "6", "--c", "1", "--d", "1", "--e", "1")


def test_never_starts_anew_beside_and_auto_goes_on_with_the_last(command):
    assert [command(resume="never") for _ in range(3)] == ["a", "a-2", "a-3"]
    assert command() == "a-3"


def test_folder_of_something_else_is_refused(command, refusal, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/thesis.txt").write_text("mine")
    with refusal("a is not the folder of a run"):
        command()
    assert command(resume="never") == "a-2"


def test_unknown_word_for_resume_is_refused(command, refusal):
    with refusal("--resume yes is unknown; give auto or never"):
        command(resume="yes")


def test_restart_by_torchrun_goes_on_even_if_the_run_began_anew(command, monkeypatch):
    command(resume="never")
    assert command(resume="never") == "a-2"
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert command(resume="never") == "a-2"


def test_a_folder_in_use_is_refused_to_another_process(command, refusal, tmp_path):
    command()
    with get_context("fork").Pool(1) as other, refusal("a is in use by another process"):
        other.apply(run_folder.open_run_folder, (str(tmp_path / "a"), "auto"))


def test_run_keeps_its_configuration_and_flags(command, tmp_path):
    command("--epochs", "7")
    kept = json.loads((tmp_path / "a/config.json").read_text())
    assert kept["config"] == {"epochs": 7, "resume": "auto", "a": {"b": 1}}
    assert kept["flags"]["epochs"] == 7


def test_runs_from_python_are_always_new_and_have_no_flags(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/pytest", "x", "--secret", "1"])
    folders = [run_folder.open_run_folder(str(tmp_path / "a"), "auto") for _ in range(2)]
    assert [Path(folder).name for folder in folders] == ["a", "a-2"]
    assert json.loads((tmp_path / "a/config.json").read_text()) == {"config": {}, "flags": {}}


def test_a_folder_that_cannot_be_made_is_one_sentence(command, refusal, tmp_path):
    (tmp_path / "a").write_text("a file")
    with refusal("a cannot be written .File exists.; give another --run_name or --output_dir"):
        command()


@pytest.mark.parametrize("flag", ["--dataset_dir", "--datalist"])
def test_the_place_of_the_data_set_may_differ(tmp_path, monkeypatch, flag):
    config = write_json(tmp_path / "train.json", {"dataset_dir": "/a", "datalist": None})
    for flags in ([], [flag, "/mnt/moved"]):
        arguments = ["run", "--config_file", config, *flags]
        monkeypatch.setattr(sys, "argv", ["/x/monai/bundle/__main__.py", *arguments])
        assert run_folder.open_run_folder(str(tmp_path / "run"), "auto") == str(tmp_path / "run")
