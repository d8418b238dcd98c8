# generated from common/weights/task_note.py, do not edit: `make copies`
"""Compares the task and the labels that two notes of weights name."""

from collections.abc import Mapping
from typing import Any


def describe_other_task(of_file: Mapping[str, Any], of_run: Mapping[str, Any]) -> str:
    """Describes another task of two notes: `for Task02_Heart (left atrium), and this run is …`.

    Empty where task and labels agree, or one note says nothing of them.
    """
    is_other = any(
        of_file.get(key) and of_run.get(key) and of_file[key] != of_run[key]
        for key in ("task", "labels")
    )
    words = [_describe_task(note) for note in (of_file, of_run)]
    return f"for {words[0]}, and this run is for {words[1]}" if is_other else ""


def describe_other_labels(of_file: Mapping[str, Any], of_run: Mapping[str, Any]) -> str:
    """Describes other labels of two notes, as `describe_other_task`; empty where they agree.

    Another name of a task says nothing of its labels.
    """
    labels = [{"labels": note.get("labels")} for note in (of_file, of_run)]
    return describe_other_task(of_file, of_run) if describe_other_task(*labels) else ""


def _describe_task(note: Mapping[str, Any]) -> str:
    """Describes the task of a note: `Task09_Spleen (spleen)`."""
    labels = note.get("labels") or {}
    names = [labels[number] for number in sorted(labels, key=int) if int(number)]
    return f"{note.get('task') or 'a task'}" + (f" ({', '.join(names)})" if names else "")
