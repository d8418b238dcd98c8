# generated from common/inference/exported_network.py, do not edit: `make copies`
"""Runs networks that `monai.bundle ckpt_export` and `onnx_export` wrote, in place of SwinUNETR."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..weights.check_fit import check_preprocessing, check_purpose
from ..weights.onnx_note import read_onnx_note
from ..weights.preprocessing_note import describe_agreement

logger = logging.getLogger(__name__)


class ExportedNetwork(nn.Module):
    """Runs a file that holds a network and its weights; a base of one class for each format.

    Args:
        channels: of the input.
        classes: of the output.
        patch_size: of the windows, X, Y and Z in voxels.
        device: where it runs.
    """

    kind, command = "", ""

    def __init__(
        self, channels: int, classes: int, patch_size: Sequence[int], device: str | torch.device
    ) -> None:
        super().__init__()
        self.shape, self.classes = [channels, *patch_size], classes
        self.device = torch.device(device)
        self.exported: Any = None
        self.note: dict[str, Any] = {}  # on the training of its weights

    def load(self, path: str, trained_with: Mapping[str, Any] | None = None) -> None:
        """Reads the file, checks that it fits this run, and says so in one line of the log.

        Args:
            path: the exported file.
            trained_with: spacing, intensity range and task of this run; None compares none.

        Raises:
            InputError: the file is missing or of another format, takes or gives another number of
                channels, runs at another patch size, or its note contradicts `trained_with`.
        """
        if not Path(path).is_file():
            raise InputError(
                f"the exported network {path} does not exist; write it by `python -m monai.bundle "
                f"{self.command}` (docs/export.md), or give yours by --ckpt_path."
            )
        try:
            self.exported = self.open(path)
        except InputError:
            raise
        except Exception as error:  # each format has its own kinds
            raise InputError(
                f"{path} is no {self.kind} network, or it is damaged; write it anew by `python -m "
                f"monai.bundle {self.command}` (docs/export.md)."
            ) from error
        self.note = note = self.read_note()
        check_purpose(path, note, trained_with or {})
        shape, classes = self.sizes(path)
        if shape[1:] != self.shape[1:] and shape[0] == self.shape[0]:
            raise InputError(
                f"{path} runs at patch size {shape[1:]} alone, and this run has {self.shape[1:]}; "
                f'give --patch_size "{shape[1:]}", or export again with --input_shape '
                f'"{[1, *self.shape]}" and --patch_size "{self.shape[1:]}".'
            )
        if (shape, classes) != (self.shape, self.classes):
            raise InputError(
                f"{path} is of another network: {shape[0]} channels to {classes} classes, here "
                f"{self.shape[0]} to {self.classes}; give the config of its task, or export the "
                "model.pt of this one."
            )
        check_preprocessing(path, note, trained_with or {})
        logger.info(f"weights: {self.kind} {path} ({describe_agreement(note, trained_with)})")

    def forward(self, image: Tensor) -> Tensor:
        """Computes scores (B, classes, X, Y, Z) of windows (B, C, X, Y, Z)."""
        if self.exported is None:
            raise InputError("no exported network is loaded; run its config by monai.bundle run.")
        return self.run(image)


class TorchScriptNetwork(ExportedNetwork):
    """Runs a TorchScript file of `monai.bundle ckpt_export`."""

    kind, command = "TorchScript", "ckpt_export"

    def open(self, path: str) -> torch.jit.ScriptModule:
        return torch.jit.load(path, map_location=self.device).eval()

    def read_note(self) -> dict:
        note = getattr(self.exported, "note", None)
        return json.loads(note.trained_with) if hasattr(note, "trained_with") else {}

    def sizes(self, path: str) -> tuple[list[int], int]:
        """Returns (C, X, Y, Z) and classes by the file's note, else by one forward.

        Raises:
            InputError: the file has no note, and cannot run at the sizes of this run.
        """
        note = getattr(self.exported, "note", None)
        if hasattr(note, "patch_size"):
            return [note.channels, *note.patch_size], note.classes
        logger.warning(
            f"{path} does not tell its patch size, which must be {self.shape[1:]}: at another one "
            "it may give wrong labels; docs/export.md exports a file that checks it."
        )
        try:
            with torch.no_grad():
                scores = self.exported(torch.zeros(1, *self.shape, device=self.device))
        except RuntimeError as error:
            raise InputError(
                f"{path} does not run on {self.shape[0]} channels of {self.shape[1:]} voxels; give "
                "the --patch_size and the task of its export, or export again (docs/export.md)."
            ) from error
        return self.shape, scores.shape[1]

    def run(self, image: Tensor) -> Tensor:
        return self.exported(image)


class OnnxNetwork(ExportedNetwork):
    """Runs an ONNX file of `monai.bundle onnx_export` by onnxruntime, in float32."""

    kind, command = "ONNX", "onnx_export"

    def open(self, path: str) -> Any:
        try:
            import onnxruntime  # only here: no other way of serving needs it
        except ImportError as error:
            raise InputError(
                "inference_onnx.json needs onnxruntime; pip install onnxruntime."
            ) from error
        known = onnxruntime.get_available_providers()
        wanted = ["CUDAExecutionProvider"] if self.device.type == "cuda" else []
        providers = [name for name in (*wanted, "CPUExecutionProvider") if name in known]
        return onnxruntime.InferenceSession(path, providers=providers)

    def read_note(self) -> dict:
        return read_onnx_note(self.exported)

    def sizes(self, path: str) -> tuple[list[int], int]:
        """Returns (C, X, Y, Z) and classes, as the file declares its input and output."""
        (image,), (scores, *_) = self.exported.get_inputs(), self.exported.get_outputs()
        return list(image.shape[1:]), scores.shape[1]

    def run(self, image: Tensor) -> Tensor:
        (tensor,) = self.exported.get_inputs()
        step = tensor.shape[0] if isinstance(tensor.shape[0], int) else len(image)
        parts = [part.float().cpu().numpy() for part in image.split(step)]
        scores = [self.exported.run(None, {tensor.name: part})[0] for part in parts]
        return torch.cat([torch.from_numpy(part) for part in scores]).to(image.device)
