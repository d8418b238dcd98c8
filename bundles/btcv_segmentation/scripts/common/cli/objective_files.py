# generated from common/cli/objective_files.py, do not edit: `make copies`
"""Checks that the config files of a pre-training give one objective, and give it whole.

An objective's name is no switch: its overlay in `configs/objectives/` sets all that makes it, and a
preset changes some of that. In a wrong combination another objective would train under the name.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError, suggest_and_list
from .command_line import Layer
from .config_order import OBJECTIVE, is_workflow

DEFAULT = "rotation_contrast_inpainting"  # stands in train.json, without an overlay
BASE = "_base_objective_"  # the objective that an overlay changes; without it, the workflow's
# Objectives that are a task beside others too, those that neither turn nor mix their crops.
FLAG_BESIDE = {"position": "--position_weight"}


class _Objective(NamedTuple):
    """Holds an objective that files give, and the path of the last one that names it.

    Attributes:
        name: None of a workflow without objectives.
        source: the path.
    """

    name: str | None
    source: str


def check_objective(layers: Sequence[Layer], bundle_root: str) -> None:
    """Checks that files and flags give one objective: an overlay, and then its own presets.

    A workflow whose objective is null, as the export's, takes the files that `train.json` takes.

    Args:
        layers: config files in order, then args file and flags.
        bundle_root: the folder of the bundle, which has `configs/objectives/`.

    Raises:
        InputError: an overlay stands behind another objective than the one that it changes, or
            behind a workflow without objectives; a flag, or a file without an objective's parts,
            names one.
    """
    files, folder = layers[:-2], Path(bundle_root, "configs/objectives")
    workflow = next(filter(is_workflow, files), files[0] if files else layers[-1])
    first = _Objective(workflow.values.get(OBJECTIVE), workflow.source)
    if OBJECTIVE in workflow.values and first.name is None:
        first = _Objective(DEFAULT, workflow.source)
    current = first
    for layer in files:
        name = layer.values.get(OBJECTIVE) or current.name
        if name == current.name:
            continue
        if first.name is None:
            raise InputError(
                f"{layer.source} is of an objective of pre-training, and {first.source} has none; "
                "leave it out of --config_file."
            )
        base = layer.values.get(BASE, first.name)
        if base != current.name:
            raise InputError(_describe_other_base(layer, base, current, first, folder))
        if _is_name_alone(layer, folder):
            raise InputError(
                _describe_name(f"{layer.source}: {OBJECTIVE}", name, current, first, folder)
            )
        current = _Objective(name, layer.source)
    for layer in layers[-2:]:
        name = layer.values.get(OBJECTIVE) or current.name
        if name != current.name and first.name is not None:
            origin = f"{layer.source}: {OBJECTIVE}" if layer.source else f"--{OBJECTIVE}"
            raise InputError(_describe_name(origin, name, current, first, folder))


def _is_name_alone(layer: Layer, folder: Path) -> bool:
    """Tells whether a file names the objective of an overlay of the bundle, and is not that one."""
    name = layer.values[OBJECTIVE]
    has_parts = "network_def" in layer.values or BASE in layer.values
    return not has_parts and Path(layer.source).stem != name and _overlay(name, folder).is_file()


def _describe_other_base(
    layer: Layer, base: str, current: _Objective, first: _Objective, folder: Path
) -> str:
    """Describes an overlay behind another objective than the one that it changes."""
    name = layer.values[OBJECTIVE]
    if BASE in layer.values:
        what = f"changes the objective {base}"
        leave = f"leave {current.source} out of --config_file" if current != first else ""
        add = f"give {_overlay(base, folder)} before it" if base != first.name else ""
        remedy = " and ".join(filter(None, (leave, add)))
    else:
        what = f"gives the objective {name}"
        remedy = f"leave {current.source} or {layer.source} out of --config_file"
        if "network_def" not in layer.values:
            remedy += (
                f', or write "{BASE}": "{current.name}" into the second if it changes the first'
            )
    for task, source in ((name, layer.source), (current.name, current.source)):
        if task in FLAG_BESIDE:
            remedy += (
                f"; for the {task} beside another objective that leaves its crops in place, give "
                f"{FLAG_BESIDE[task]} instead of {source}"
            )
    return f"{layer.source} {what}, and the files before it give {current.name}; {remedy}."


def _describe_name(
    origin: str, name: str, current: _Objective, first: _Objective, folder: Path
) -> str:
    """Describes a name of an objective that stands without the objective's files."""
    if name == first.name:
        remedy = f"leave {current.source} out of --config_file"
    elif _overlay(name, folder).is_file():
        remedy = f"give {_overlay(name, folder)} in --config_file, as its first line shows"
    else:
        known = sorted({first.name, *(path.stem for path in folder.glob("*.json"))})
        remedy = suggest_and_list(str(name), known).removesuffix(".")
    if name in FLAG_BESIDE:
        remedy += (
            f", or {FLAG_BESIDE[name]} for the {name} beside an objective that leaves its crops in "
            "place"
        )
    return (
        f"{origin} {name} chooses no objective, and the config files train {current.name}; "
        f"{remedy}."
    )


def _overlay(name: str, folder: Path) -> Path:
    return folder / f"{name}.json"
