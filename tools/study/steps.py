"""Records how each command of a study ended, in `step.json` in the folder of its job.

The file holds the command, the commands of the steps before it, and whether the command has ended
well. Paths are kept by their names, such as `{output_dir}`, so that a study may be moved.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from common.atomic_write import replacing
from common.errors import InputError

from .grid import Job, Study, chain

FINISHED = "finished"


def record(job: Job) -> dict[str, Any]:
    """Reads a job's `step.json`; empty where the job never started."""
    try:
        return json.loads((job.folder / "step.json").read_text())
    except (OSError, ValueError):
        return {}


def write_record(study: Study, job: Job, state: str, seconds: float) -> None:
    """Writes `step.json`.

    Args:
        study: of the job.
        job: the command.
        state: `started`, `stopped`, `failed` or `finished`.
        seconds: that it has run so far, in all attempts whose end was recorded.
    """
    content = {"state": state, "seconds": round(seconds, 1)}
    content |= {"inputs": inputs(study, job), "commands": commands(study, job)}
    with replacing(job.folder / "step.json") as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def is_finished(job: Job) -> bool:
    """Tells whether a job has ended well, and its output still exists."""
    return record(job).get("state") == FINISHED and job.makes.exists()


def commands(study: Study, job: Job) -> dict[str, list[str]]:
    """Returns bundle and arguments of a job and of all that it needs, by their folders."""
    return {
        str(each.folder.relative_to(study.output_dir)): [each.bundle, *each.named]
        for each in chain(job)
    }


def made_by(study: Study, job: Job) -> str:
    """Returns a digest of the commands of a job and of all that it needs: 12 hexadecimal digits."""
    text = json.dumps(commands(study, job), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def inputs(study: Study, job: Job) -> dict[str, str]:
    """Returns the paths of the inputs of a job and of those that it needs, by name."""
    used = {name for each in chain(job) for name in each.inputs}
    return {name: str(path) for name, path in study.inputs.items() if name in used}


def check_unchanged(study: Study, with_inputs: bool = True) -> None:
    """Checks that started jobs have the commands of today's configuration.

    Args:
        study: the configuration as it is now.
        with_inputs: whether the inputs are to be the same as well.

    Raises:
        InputError: a command has changed since; the first difference is named.
    """
    changed = []
    for job in study.jobs:
        before = record(job)
        if not before:
            continue
        difference = _difference(before["commands"], commands(study, job))
        if not difference and with_inputs:
            difference = _differing(before["inputs"], inputs(study, job))
        if difference:
            changed.append((job.folder, difference))
    if changed:
        (folder, difference), others = changed[0], len(changed) - 1
        raise InputError(
            f"{folder}{f' (and {others} more)' if others else ''} was made by another command: "
            f"{difference}; delete what is to be made anew, or give another --output_dir."
        )


def _difference(before: dict[str, list[str]], now: dict[str, list[str]]) -> str:
    """Describes a difference in words; empty when there is none."""
    for folder in {**before, **now}:
        old, new = (_by_flag(given[folder]) if folder in given else {} for given in (before, now))
        difference = _differing(old, new)
        if difference:
            return f"{folder}: {difference}"
    return ""


def _differing(old: dict[str, str], new: dict[str, str]) -> str:
    for name in {**old, **new}:
        was, is_now = old.get(name, "not given"), new.get(name, "not given")
        if was != is_now:
            return f"{name} was {was}, is {is_now}"
    return ""


def _by_flag(arguments: list[str]) -> dict[str, str]:
    return {"bundle": arguments[0]} | dict(zip(arguments[1::2], arguments[2::2]))


def missing(study: Study) -> dict[str, Path]:
    """Lists the inputs that a study's commands read and that do not exist."""
    used = {name for job in study.jobs for name in inputs(study, job)}
    return {n: path for n, path in study.inputs.items() if n in used and not path.exists()}
