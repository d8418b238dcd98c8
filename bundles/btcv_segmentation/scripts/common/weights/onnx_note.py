# generated from common/weights/onnx_note.py, do not edit: `make copies`
"""Writes the note of weights into an ONNX file, and reads it: MONAI's export leaves it out."""

import json
from typing import Any

from ..atomic_write import check_writable, explained, replacing
from ..errors import InputError
from . import preprocessing_note
from .layouts import read_weights


def add_note(onnx_file: str, weights: str) -> str:
    """Writes into an ONNX file what the weights that it was exported from were trained with.

    Args:
        onnx_file: what `python -m monai.bundle onnx_export` wrote; it is replaced.
        weights: the file that was given there as --ckpt_file.

    Raises:
        InputError: the weights cannot be read or have no note, onnx is not installed, or the file
            is no ONNX file.
    """
    note = read_weights(weights, "give the --ckpt_file of the export.").trained_with
    if not note:
        raise InputError(f"{weights} carries no note of its training, so there is none to add.")
    try:
        import onnx
    except ImportError as error:
        raise InputError("an ONNX file is written by onnx; pip install onnx.") from error
    check_writable(files=[onnx_file])
    try:
        model = onnx.load(onnx_file)
    except Exception as error:  # protobuf has its own kinds
        raise InputError(
            f"{onnx_file} is missing or no ONNX file; write it by `python -m monai.bundle "
            "onnx_export`."
        ) from error
    kept = {one.key: one.value for one in model.metadata_props}
    onnx.helper.set_model_props(model, kept | {preprocessing_note.KEY: json.dumps(note)})
    with explained(onnx_file), replacing(onnx_file) as temporary:
        onnx.save(model, temporary)
    words = ", ".join(f"{key} {value}" for key, value in preprocessing_note.describe(note).items())
    return f"{onnx_file} now says that it was trained with {words}"


def read_onnx_note(session: Any) -> dict:
    """Reads the note from an open `onnxruntime.InferenceSession`; {} where the file has none."""
    found = session.get_modelmeta().custom_metadata_map
    return json.loads(found.get(preprocessing_note.KEY, "{}"))
