"""The Makefile refuses a task that is none before it touches the folder of an earlier demo."""

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
