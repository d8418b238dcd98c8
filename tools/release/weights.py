"""Checks the weights in a bundle: its inference takes them, and all files are of one training."""

import importlib
import re
import tempfile
from pathlib import Path

import torch
from monai.bundle import ConfigParser

from common.weights.checkpoint_file import read_state_dict

from .checks import Bundle
from .files import WEIGHTS
from .monai_checks import quiet, scripts_of

LOADS = re.compile(r"\$.*\bload(_weights)?\(.*@ckpt_path")  # the step of `run` in inference.json


def weights_fit(bundle: Bundle) -> list[str]:
    """Loads `models/model.pt` as inference does, and compares what is exported from it with it.

    Spacing, intensities, task, labels and patch merging that the weights were trained with are
    compared with the configs.

    Returns:
        What inference would refuse; nothing where the bundle holds no weights.
    """
    model, *exported = (bundle.folder / name for name in WEIGHTS)
    exported = [path for path in exported if path.is_file()]
    if exported and not ((bundle.folder / "scripts/export.py").is_file() and model.is_file()):
        return [f"models/{path.name} is not of this bundle's training" for path in exported]
    with scripts_of(bundle.folder):
        faults = _refusal(bundle) if model.is_file() else []
        return faults or (_faults_of_exported(model, exported) if exported else [])


def _refusal(bundle: Bundle) -> list[str]:
    """Runs the step of inference that loads the weights, at the network's full size."""
    parser = ConfigParser()
    parser.read_config(str(bundle.folder / "configs/inference.json"))
    parser["bundle_root"], parser["device"] = str(bundle.folder), "cpu"
    steps = [number for number, step in enumerate(parser["run"]) if LOADS.match(step)]
    if len(steps) != 1:
        return [f"configs/inference.json has {len(steps)} steps that load @ckpt_path"]
    try:
        with quiet():
            parser.get_parsed_content(f"run::{steps[0]}")
    except Exception as error:  # the bundle's own InputError, and what a wrong file raises
        return [_first_line(error.__cause__ or error)]
    return []


def _faults_of_exported(model: Path, paths: list[Path]) -> list[str]:
    """Exports the encoder again, and compares its tensors with those of the files."""
    export = importlib.import_module("scripts.export")
    with tempfile.TemporaryDirectory() as folder:
        try:
            with quiet():
                export.export_encoder(str(model), str(Path(folder, "encoder.pt")))
            return [
                f"models/{path.name} is not of models/model.pt; export it again"
                for path in paths
                if not _is_same(path, Path(folder, path.name))
            ]
        except Exception as error:
            return [_first_line(error)]


def _is_same(path: Path, anew: Path) -> bool:
    """Tells whether two files of weights hold the same tensors."""
    if not anew.is_file():
        return False
    state, other = (read_state_dict(str(file), "") for file in (path, anew))
    return state.keys() == other.keys() and all(
        torch.equal(tensor, other[name]) for name, tensor in state.items()
    )


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
