"""The Makefile refuses a wrong TASK or CT before it touches the folder of an earlier demo."""

import shlex
import subprocess

import pytest
from helpers import BUNDLES, ROOT

TASKS = sorted(path.stem for path in (BUNDLES / "msd_tasks/configs/tasks").glob("*.json"))


def make(*words: str) -> subprocess.CompletedProcess:
    """A dry run: prints the commands, runs none."""
    words = ["make", "--dry-run", "--no-print-directory", *words]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("task", ["Task11_Foo", "Task09", "task09_spleen", "Task0%"])
def test_an_unknown_task_lists_the_ten_and_runs_nothing(task):
    done = make("demo", f"TASK={task}")
    assert done.returncode == 2 and done.stdout == ""
    assert f"{task} is no task; the tasks are {' '.join(TASKS)}." in done.stderr


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_shown_by_its_own_bundle(task):
    done = make("demo", f"TASK={task}")
    assert done.returncode == 0, done.stderr
    assert f"python tools/repo task_bundle {task} demo/bundles" in done.stdout
    folder = f"demo/bundles/msd_{task.lower()}_segmentation"
    assert f"cd {folder} && python -m scripts datalist msd ../../{task}" in done.stdout


@pytest.mark.parametrize("name", ["ct.nii.gz", "my ct.v2.nii.gz", "it's.nii"])
def test_a_ct_of_any_name_is_segmented_and_shown(tmp_path, name):
    (tmp_path / name).touch()
    done = make("demo", f"CT={tmp_path / name}")
    assert done.returncode == 0, done.stderr
    commands = [shlex.split(line) for line in done.stdout.replace("\\\n", " ").splitlines()]
    (run,) = [words for words in commands if "../../own_ct" in words]
    assert run[run.index("--dataset_dir") + 1] == str(tmp_path / name)
    (page,) = [words for words in commands if "--ct" in words]
    stem = name.removesuffix(".gz").removesuffix(".nii")
    assert page[page.index("--ct") + 1] == str(tmp_path / name)
    assert page[page.index("--ct_prediction") + 1] == f"demo/own_ct/{stem}_seg.nii.gz"


def test_a_ct_that_is_no_file_and_one_beside_a_task_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none.nii.gz"):
        done = make("demo", f"CT={path}")
        assert done.returncode == 2 and done.stdout == ""
        assert f"{path} is no file; give CT the path of a NIfTI file" in done.stderr
    (tmp_path / "ct.nii").touch()
    done = make("demo", f"CT={tmp_path / 'ct.nii'}", f"TASK={TASKS[0]}")
    assert done.returncode == 2 and done.stdout == ""
    assert "CT is segmented by the demo without TASK; give one of the two" in done.stderr


def versions(path: str) -> dict[str, str]:
    """The versions that a file of requirements names."""
    lines = (ROOT / path).read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def test_the_servers_environments_have_the_versions_that_were_tested_together():
    pinned = versions("constraints.txt")
    deploy, label = map(
        versions, ("tools/deploy_app/requirements.txt", "tests/label/requirements.txt")
    )
    shared = {*deploy} & {*pinned}
    assert len(shared) > 20
    assert {name: deploy[name] for name in shared} == {name: pinned[name] for name in shared}
    assert label["monai"] == pinned["monai"] and "torch" not in {*label, *deploy}
