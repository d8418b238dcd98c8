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
