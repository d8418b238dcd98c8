# generated from common/weights/objective.py, do not edit: `make copies`
"""Describes the pre-training that weights come from, and compares its objective with a run's."""

from collections.abc import Mapping
from typing import Any

from ..cli.objective_files import DEFAULT

KEY = "objective"  # of the note beside weights: the overlay's name in configs/objectives/
KNOBS = "objective_knobs"  # of the note: what the overlay's own knobs were, by name


def is_of_pretraining(note: Mapping[str, Any] | None) -> bool:
    """Tells whether a note of `preprocessing_of` is of a pre-training: it names an objective."""
    return KEY in (note or {})


def describe_other_objective(of_file: Mapping[str, Any], of_run: Mapping[str, Any]) -> str:
    """Describes another objective of two notes, and the remedy; empty where both agree.

    `by the objective masked, and this config is of …; add configs/objectives/masked.json …`

    Args:
        of_file, of_run: notes of `preprocessing_of`; one that names no objective is of any.
    """
    theirs, ours = of_file.get(KEY), of_run.get(KEY)
    if not theirs or not ours or theirs == ours:
        return ""
    if theirs == DEFAULT:
        remedy = f"leave {overlay(ours)} out of --config_file"
    elif ours == DEFAULT:
        remedy = f"add {overlay(theirs)} to --config_file, as its first line shows"
    else:
        remedy = f"give {overlay(theirs)} as its first line shows, and not {overlay(ours)}"
    return f"by the objective {theirs}, and this config is of {ours}; {remedy}"


def describe_other_knobs(of_file: Mapping[str, Any], of_run: Mapping[str, Any]) -> str:
    """Describes knobs of an objective that differ in two notes: `mask_ratio 0.7, here 0.5`.

    Empty where all agree; of a knob that one note lacks nothing is said.

    Args:
        of_file, of_run: notes of `preprocessing_of`.
    """
    ours = of_run.get(KNOBS) or {}
    return " and ".join(
        f"{name} {value}, here {ours[name]}"
        for name, value in (of_file.get(KNOBS) or {}).items()
        if name in ours and ours[name] != value
    )


def overlay(objective: str) -> str:
    """Names the overlay of an objective, by its path in the bundle's folder."""
    return f"configs/objectives/{objective}.json"


def describe_training(note: Mapping[str, Any]) -> str:
    """Describes the rest of a note: `objective masked, crops 96 x 96 x 96, 450000 iterations`.

    The demo's bundle says `on phantoms` too. Empty for a note that has none of the four.
    """
    words = [f"objective {note[KEY]}"] if note.get(KEY) else []
    if note.get("patch_size"):
        words.append(f"crops {' x '.join(map(str, note['patch_size']))}")
    if note.get("iterations"):
        words.append(f"{note['iterations']} iterations")
    if note.get("trained_on"):
        words.append(f"on {note['trained_on']}")
    return ", ".join(words)
