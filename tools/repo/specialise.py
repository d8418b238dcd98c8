"""Specialises the segmentation workflow to a task: complete configs that need no other file.

The workflow, `common/configs/segmentation/`, is written once, without a task. A task is a flat JSON
file of knobs such as `spacing_mm`, and of whole lists such as `intensity_transforms`.
"""

import json
import re

from .format_json import Number, layout

MARK = "_task_"  # where a workflow lists the task's knobs that it needs


def specialise(workflow: dict, task: dict) -> dict:
    """Puts a task into a config of the workflow.

    Args:
        workflow: parsed JSON. Knobs that it lists under `_task_` stand there in the result, and
            those that the task's own values refer to (`@hu_min`); keys that the workflow has itself
            are replaced where they stand.
        task: parsed JSON; its `_desc_` is not taken, since it tells how to use it as an overlay.

    Returns:
        The config; `{name}` in its `_desc_` and `dataset_dir` is the task's name.

    Raises:
        ValueError: the task lacks a knob.
    """
    knobs = workflow.get(MARK, [])
    lacking = [name for name in knobs if name not in task]
    if lacking:
        raise ValueError(f"task {task.get('name')} has no {', '.join(lacking)}; add it.")
    used = {key: task[key] for key in [*knobs, *workflow] if key in task and key != "_desc_"}
    named = re.findall(r"@(\w+)", json.dumps(used))
    knobs = knobs + [name for name in task if name in named and name not in used]
    config = {}
    for key, value in workflow.items():
        if key == MARK:
            config |= {name: task[name] for name in knobs}
        elif key in ("_desc_", "dataset_dir"):
            config[key] = value.replace("{name}", task["name"])
        else:
            config[key] = task.get(key, value)
    return config


def specialise_text(workflow: str, task: str) -> str:
    """Specialises the texts of both files; blank lines and numbers stay as written."""
    parsed = json.loads(workflow, parse_float=Number)
    config = specialise(parsed, json.loads(task, parse_float=Number))
    blank_before = set(re.findall(r'\n[ \t]*\n {4}"([^"]+)":', workflow))
    if MARK in blank_before:
        blank_before.add(parsed[MARK][0])
    return layout(config, blank_before=frozenset(blank_before)) + "\n"
