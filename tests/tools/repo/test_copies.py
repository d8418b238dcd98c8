"""Generated copies: what differs, is missing or is too much is named, and mended."""

import json
from pathlib import Path

import pytest

from common.cli.commands import run
from tools.repo import copies
from tools.repo.commands import COMMANDS

SCRIPTS = "bundles/{}/scripts"
ONE = "bundles/btcv_segmentation/scripts/common/network/one.py"


@pytest.fixture
def root(tmp_path) -> Path:
    """A small repository whose copies are as `write_copies` makes them."""
    files = {
        "common/__init__.py": '"""Is common."""\n',
        "common/network/__init__.py": "",
        "common/network/one.py": "A = 1\n",
        "common/network/deep/two.py": "B = 2\n",
        "common/evaluation/three.py": "C = 3\n",
        "tools/repo/moved_command.py": "raise SystemExit\n",
        "common/configs/segmentation/train.json": json.dumps({"_task_": ["name"], "epochs": 5}),
        "bundles/pretrain_ssl/scripts/own.py": "D = 4\n",
    }
    for bundle, task in copies.DEFAULT_TASKS.items():
        files[f"bundles/{bundle}/configs/tasks/{task}.json"] = json.dumps({"name": task})
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    copies.write(tmp_path)
    return tmp_path


def check(root: Path) -> None:
    run(COMMANDS, arguments=["check_copies", "--root", str(root)])


def write(root: Path) -> None:
    run(COMMANDS, arguments=["write_copies", "--root", str(root)])


def contents(root: Path) -> dict[str, str]:
    paths = [path for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_text() for path in paths}


def test_a_copy_is_its_original_below_a_line_that_names_it(root):
    head = "# generated from common/network/one.py, do not edit: `make copies`\n"
    assert (root / ONE).read_text() == f"{head}A = 1\n"
    for bundle in copies.PACKAGES:
        common = root / SCRIPTS.format(bundle) / "common"
        assert (common / "__init__.py").is_file() and (common / "network/deep/two.py").is_file()
        takes_it = "evaluation" in copies.PACKAGES[bundle]
        assert (common / "evaluation/three.py").exists() == takes_it
    moved = root / SCRIPTS.format("pretrain_ssl") / "corpus.py"
    assert moved.read_text().endswith("\nraise SystemExit\n")


def test_a_config_is_the_workflow_for_the_bundles_own_task(root):
    for bundle, task in copies.DEFAULT_TASKS.items():
        config = json.loads((root / "bundles" / bundle / "configs/train.json").read_text())
        assert config == {"name": task, "epochs": 5}


def test_copies_as_they_are_made_pass_and_are_not_written_again(root, capsys):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    check(root)
    write(root)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert capsys.readouterr().out == ""


def edit(root: Path) -> None:
    (root / ONE).write_text((root / ONE).read_text() + "# mended here\n")


def remove(root: Path) -> None:
    (root / ONE).unlink()


def remove_original(root: Path) -> None:
    (root / "common/evaluation/three.py").unlink()


def add(root: Path) -> None:
    (root / ONE).with_name("more.py").write_text("E = 5\n")


def leave_moved_command(root: Path) -> None:
    text = copies.HEADER.format("tools/repo/moved_command.py")
    (root / "bundles/pretrain_ssl/scripts/old.py").write_text(text)


def change_config(root: Path) -> None:
    (root / "bundles/msd_tasks/configs/train.json").write_text("{}\n")


FOLDER = "bundles/btcv_segmentation/scripts/common"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (edit, f"{ONE} differs from its original"),
        (remove, f"{ONE} is missing"),
        (remove_original, f"{FOLDER}/evaluation/three.py has no original"),
        (add, f"{FOLDER}/network/more.py has no original"),
        (leave_moved_command, "bundles/pretrain_ssl/scripts/old.py has no original"),
        (change_config, "bundles/msd_tasks/configs/train.json differs from its original"),
    ],
)
def test_what_is_wrong_is_named_and_mended(root, change, sentence):
    before = contents(root)
    change(root)
    with pytest.raises(SystemExit) as refusal:
        check(root)
    lines = str(refusal.value).removeprefix("error: ").splitlines()
    assert sentence in lines and lines[-1] == "run `make copies`, and edit common/ alone."
    write(root)
    check(root)
    if change is not remove_original:
        assert contents(root) == before


def test_an_original_that_changed_changes_every_copy(root):
    (root / "common/network/one.py").write_text("A = 6\n")
    with pytest.raises(SystemExit) as refusal:
        check(root)
    assert str(refusal.value).count("common/network/one.py differs") == len(copies.PACKAGES)
    write(root)
    assert all(
        (root / SCRIPTS.format(bundle) / "common/network/one.py").read_text().endswith("A = 6\n")
        for bundle in copies.PACKAGES
    )


def test_a_bundles_own_files_stay(root):
    own = root / "bundles/pretrain_ssl/scripts/own.py"
    write(root)
    check(root)
    assert own.read_text() == "D = 4\n"


def test_check_exits_with_1(root):
    """A text is what SystemExit prints, and its status is then 1."""
    remove(root)
    with pytest.raises(SystemExit) as refusal:
        check(root)
    assert isinstance(refusal.value.code, str)


def test_this_repository_is_as_it_is_made():
    check(copies.ROOT)
