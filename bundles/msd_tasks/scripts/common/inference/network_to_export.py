# generated from common/inference/network_to_export.py, do not edit: `make copies`
"""Prepares a network for export: fast attention, one patch size, and the note of its weights."""

import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..network import prepare_network
from ..weights.preprocessing_note import read_metadata


class ExportNote(nn.Module):
    """Holds what an exported file says of itself; TorchScript keeps it because of its method."""

    trained_with: str
    channels: int
    classes: int
    patch_size: list[int]

    def __init__(self, channels: int, classes: int, patch_size: Sequence[int]) -> None:
        super().__init__()
        self.trained_with = "{}"  # JSON, see `preprocessing_note`
        self.channels, self.classes, self.patch_size = channels, classes, list(patch_size)

    @torch.jit.export
    def read(self) -> str:
        """Returns the note of the weights as JSON."""
        return self.trained_with


class NetworkToExport(nn.Module):
    """Wraps a network for `monai.bundle ckpt_export` and `onnx_export`, on the CPU.

    A trace holds sizes of the input as plain numbers, and at another size it may give wrong scores
    without an error. So the exported forward refuses any other size. State-dict keys are those of
    the network by itself.

    Args:
        network: (B, C, X, Y, Z) to (B, classes, X, Y, Z); changed in place.
        channels: C of its input.
        classes: of its output.
        patch_size: X, Y and Z, the size at which the exported file runs.
        fast_attention: see `fast_attention.accelerate`; an export to ONNX runs as MONAI's.
    """

    def __init__(
        self,
        network: nn.Module,
        channels: int,
        classes: int,
        patch_size: Sequence[int],
        fast_attention: bool = True,
    ) -> None:
        super().__init__()
        self.network = prepare_network(network, "cpu", fast_attention)
        self.note = ExportNote(channels, classes, patch_size)

    def forward(self, image: Tensor) -> Tensor:
        """Computes scores (B, classes, X, Y, Z) of windows (B, C, X, Y, Z) of the patch size.

        Raises:
            InputError: the size is another one, while tracing too.
        """
        size = [self.note.channels, *self.note.patch_size]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            given = [int(edge) for edge in image.shape[1:]]
        if given != size:
            raise InputError(
                f"the input for the trace is {given}, and the config has {self.note.channels} "
                f"channels and patch_size {self.note.patch_size}; give --input_shape "
                f'"{[1, *size]}".'
            )
        # a trace keeps this, and fails at another size; its first convolution at other channels
        return self.network(image.expand(-1, -1, *self.note.patch_size))

    def state_dict(self, *args, **kwargs) -> dict[str, Any]:
        """Returns the state dict of the network by itself."""
        return self.network.state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args, **kwargs) -> Any:
        """Loads weights of the network by itself, and takes the note that lies beside them."""
        result = self.network.load_state_dict(state_dict, *args, **kwargs)
        self.note.trained_with = json.dumps(read_metadata(state_dict) or {})
        return result
