# generated from common/weights/checkpoint_file.py, do not edit: `make copies`
"""Reads checkpoints without running code from them; each kind of damage has its own sentence."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError

CONTAINERS = ("network", "state_dict", "model", "net")  # keys under which checkpoints hold weights
# A NumPy number, such as a best Dice, that training scripts save beside the weights; loading it
# runs no code. Under both names that NumPy has given the function that makes it.
SCALAR = np.float64(0).__reduce__()[0]
NUMBERS = [
    *((SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float64", "float32", "int64", "int32", "bool")),
]
ZIP, LEGACY = b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9"  # first bytes by torch.save, new, old


def read_state_dict(path: str, remedy: str) -> dict[str, Tensor]:
    """Reads the state dict of a checkpoint, whether it is the whole file or a part of it.

    Tensors keep the file's own names.

    Args:
        path: the file.
        remedy: how to get weights; closes the sentence where the file has none.

    Raises:
        InputError: the file is missing, cut short, no checkpoint, loads by running code alone, or
            holds NaN or infinity.
    """
    content = read_file(path, remedy)
    container = next((key for key in CONTAINERS if _has_container(content, key)), None)
    state_dict = content[container] if container else content
    where = f"{path}[{container}]" if container else path
    if not isinstance(state_dict, dict) or not state_dict:
        raise InputError(f"{where} is not a state dict; {remedy}")
    others = [name for name, value in state_dict.items() if not isinstance(value, Tensor)]
    if others:
        raise InputError(
            f"{where} is not a state dict: its {others[0]} is no tensor, and none of "
            f"{', '.join(CONTAINERS)} holds one; {remedy}"
        )
    name = find_non_finite(state_dict)
    if name:
        raise InputError(
            f"{where} is of a training that failed: its {name} holds NaN or infinity; {remedy}"
        )
    return state_dict


def find_non_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """Names the first tensor that holds NaN or infinity; None where all numbers are finite."""
    floating = ((name, value) for name, value in tensors.items() if value.is_floating_point())
    return next((name for name, value in floating if not value.isfinite().all()), None)


def read_file(path: str, remedy: str) -> Any:
    """Reads a file by `torch.load`, without running code from it.

    Raises:
        InputError: see `read_state_dict`.
    """
    if Path(path).is_dir():
        raise InputError(f"{path} is a folder, not a file of weights; {remedy}")
    if not Path(path).is_file():
        raise InputError(f"weights {path} do not exist; {remedy}")
    check_readable(path)
    try:
        with torch.serialization.safe_globals(NUMBERS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # torch raises a different kind for each way of being broken
        raise InputError(f"{path} {_explain_failure(path, str(error), remedy)}") from error


def check_readable(path: str | Path) -> None:
    """Refuses a file that cannot be opened, which is no damage.

    Raises:
        InputError: as above.
    """
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); mend that.") from error


def _has_container(content: Any, container: str) -> bool:
    return isinstance(content, dict) and isinstance(content.get(container), dict)


def _explain_failure(path: str, error: str, remedy: str) -> str:
    """Tells why a file does not load, and the remedy."""
    with open(path, "rb") as file:
        start = file.read(200)
    first_bytes = start[: len(LEGACY)]
    damaged = "is cut short or damaged; copy or download it again."
    global_name = re.search(r"GLOBAL (\S+)", error)
    if global_name:
        return (
            f"holds {global_name[1]} beside tensors, and loading that could run code, so it is not "
            "loaded; if you trust its source, load it once by torch.load(..., weights_only=False) "
            "and save its state dict alone."
        )
    if first_bytes == LEGACY or (first_bytes.startswith(ZIP) and not zipfile.is_zipfile(path)):
        return damaged
    members = zipfile.ZipFile(path).namelist() if zipfile.is_zipfile(path) else []
    if any(name.endswith("/constants.pkl") for name in members):
        return (
            "is a TorchScript program, not weights; give the model.pt that it was made from, or "
            "add configs/inference_torchscript.json to the config files."
        )
    if any(name.endswith("/data.pkl") for name in members):
        return damaged
    if start.startswith(b"version https://git-lfs"):
        return "is a pointer of git-lfs, not the weights; fetch them by `git lfs pull`."
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return f"is a web page, not the weights; download the file itself, or {remedy}"
    return f"is no checkpoint of PyTorch; {remedy}"
