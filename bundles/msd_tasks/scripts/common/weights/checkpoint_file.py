# generated from common/weights/checkpoint_file.py, do not edit: `make copies`
"""Files of weights, read without running code from them; each way to be broken has its sentence."""

import re
import zipfile
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
    """The state dict in a file, by its own names, whether it is the file or a part of it.

    Args:
        path: the file.
        remedy: how to get one; closes the sentence where the file is none.

    Raises:
        InputError: missing, cut short, or not a file of weights; or it needs code to be loaded.
    """
    content = read_file(path, remedy)
    held = next((c for c in CONTAINERS if _has(content, c)), None)
    state = content[held] if held else content
    where = f"{path}[{held}]" if held else path
    if not isinstance(state, dict) or not state:
        raise InputError(f"{where} is not a state dict; {remedy}")
    other = next((name for name, value in state.items() if not isinstance(value, Tensor)), None)
    if other is not None:
        raise InputError(
            f"{where} is not a state dict: its {other} is no tensor, and none of "
            f"{', '.join(CONTAINERS)} holds one; {remedy}"
        )
    return state


def read_file(path: str, remedy: str) -> Any:
    """What `torch.load` finds in a file, without running code from it.

    Raises:
        InputError: see `read_state_dict`.
    """
    if not Path(path).is_file():
        raise InputError(f"weights {path} do not exist; {remedy}")
    try:
        with torch.serialization.safe_globals(NUMBERS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a different kind for each way of being broken
        raise InputError(f"{path} {_complaint(path, str(error), remedy)}") from error


def _has(content: Any, container: str) -> bool:
    return isinstance(content, dict) and isinstance(content.get(container), dict)


def _complaint(path: str, error: str, remedy: str) -> str:
    """Why a file does not load, and what to do."""
    with open(path, "rb") as file:
        start = file.read(len(LEGACY))
    again = "is cut short or damaged; copy or download it again."
    code = re.search(r"GLOBAL (\S+)", error)
    if code:
        return (
            f"holds {code[1]} beside tensors, and loading that could run code, so it is not "
            "loaded; if you trust its source, load it once by torch.load(..., weights_only=False) "
            "and save its state dict alone."
        )
    if start == LEGACY or (start.startswith(ZIP) and not zipfile.is_zipfile(path)):
        return again
    parts = zipfile.ZipFile(path).namelist() if zipfile.is_zipfile(path) else []
    if any(name.endswith("/constants.pkl") for name in parts):
        return "is a TorchScript program, not weights; give the model.pt that it was made from."
    if any(name.endswith("/data.pkl") for name in parts):
        return again
    return f"is no checkpoint of PyTorch; {remedy}"
