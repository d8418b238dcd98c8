# Shared: the original is bundles/btcv_segmentation/scripts/transfer.py (see tools/vendor.py).
"""Weights between files and networks: exact, reported, and refused when anything is missing."""

import logging
import re
from pathlib import Path

import torch
from torch import Tensor, nn

from .command_line import InputError
from .files import save_atomically

logger = logging.getLogger(__name__)

ENCODER = "swinViT."  # SwinUNETR's name of its encoder, also that of the pre-training network


def read_state_dict(path: str, remedy: str) -> dict[str, Tensor]:
    """Tensors by SwinUNETR's names, from any file whose layout is known.

    That is a plain state dict, the `network` of a run's checkpoint, or the `state_dict` of the
    official scripts' files, `model_swinvit.pt` among them: see `swin_unetr_name`.

    Args:
        path: the file.
        remedy: what to do when the file is missing; closes the sentence.

    Raises:
        InputError: missing, damaged, or not such a file.
    """
    if not Path(path).is_file():
        raise InputError(f"weights {path} do not exist; {remedy}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a different kind for each way of being broken
        raise InputError(f"{path} cannot be read as weights; {remedy}") from error
    content = content if isinstance(content, dict) else {}
    content = content.get("network", content.get("state_dict", content))
    if not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"{path} is not a state dict of this bundle's network; {remedy}")
    return {swin_unetr_name(name): value for name, value in content.items()}


def swin_unetr_name(name: str) -> str:
    """The name in SwinUNETR's layout of a tensor in one of the official scripts' files.

    `model_swinvit.pt` has `module.layers1.0.blocks.0.mlp.fc1.weight` where MONAI's network has
    `swinViT.layers1.0.blocks.0.mlp.linear1.weight`, the pre-training script's own checkpoints
    `swin_vit.` or `swinViT.`, with or without `module.`.
    """
    name = name.removeprefix("module.")
    name = re.sub(r"^(swin_vit\.|(?=patch_embed\.|layers[1-4]\.|norm\.))", ENCODER, name)
    return re.sub(r"\.mlp\.fc([12])\.", r".mlp.linear\1.", name)


def load_weights(network: nn.Module, ckpt_path: str) -> None:
    """Load a whole network for evaluation or inference; every tensor must be there and fit.

    Raises:
        InputError: see `read_state_dict`; or a tensor is missing, unknown or of another shape.
    """
    remedy = "train first (configs/train.json), or give your own by --ckpt_path."
    state = read_state_dict(ckpt_path, remedy)
    problem = _difference(state, network.state_dict())
    if problem:
        raise InputError(f"{ckpt_path} does not fit this network: {problem}; {remedy}")
    network.load_state_dict(state)
    logger.info(f"weights: {len(state)} of {len(state)} tensors from {ckpt_path}")


def load_pretrained(network: nn.Module, pretrained: str | None) -> None:
    """Start a training from an encoder, or from a whole network, and say what came from where.

    All tensors of the encoder must be there and fit. Those of the decoder are taken where the file
    has them in the same shape, so that another number of classes keeps all but the last layer.

    Args:
        network: `SwinUNETR`, or any network with a `swinViT`.
        pretrained: `models/encoder.pt` of `pretrain_ssl`, `models/model.pt` of any bundle, a run's
            checkpoint, or the public `model_swinvit.pt`; None or "" starts from scratch.

    Raises:
        InputError: see `read_state_dict`; or an encoder tensor is missing or of another shape.
    """
    if not pretrained:
        logger.info("weights: from scratch (--pretrained gives an encoder to start from)")
        return
    remedy = "export one by configs/export_encoder.json of pretrain_ssl, for the same architecture."
    given, own = read_state_dict(pretrained, remedy), network.state_dict()
    encoder = {name: value for name, value in own.items() if name.startswith(ENCODER)}
    # the encoder's last normalisation is without weights in MONAI's network
    found = {
        name: value
        for name, value in given.items()
        if name.startswith(ENCODER) and not name.startswith(f"{ENCODER}norm.")
    }
    problem = _difference(found, encoder)
    if problem:
        raise InputError(f"{pretrained} does not hold this network's encoder: {problem}; {remedy}")
    fitting = {
        name: value
        for name, value in given.items()
        if name in own and value.shape == own[name].shape
    }
    network.load_state_dict({**own, **fitting})
    others = len(fitting) - len(encoder)
    logger.info(
        f"weights: encoder {len(encoder)} of {len(encoder)} tensors, rest of the network {others} "
        f"of {len(own) - len(encoder)} from {pretrained}; {len(given) - len(fitting)} left out"
    )


def export_encoder(ckpt_path: str, encoder_path: str) -> None:
    """Write the encoder of a pre-training checkpoint as `swinViT.*`, SwinUNETR's key layout.

    Raises:
        InputError: see `read_state_dict`; or the file has no encoder.
    """
    remedy = "pre-train first (configs/train.json), or give a checkpoint by --ckpt_path."
    state = read_state_dict(ckpt_path, remedy)
    encoder = {name: value for name, value in state.items() if name.startswith(ENCODER)}
    if not encoder:
        raise InputError(f"{ckpt_path} has no encoder ({ENCODER}*); {remedy}")
    save_atomically(encoder, encoder_path)
    print(f"encoder: {len(encoder)} tensors of {ckpt_path} in {encoder_path}")


def _difference(given: dict[str, Tensor], wanted: dict[str, Tensor]) -> str:
    """How two state dicts differ in names or shapes, in words; empty when they agree."""
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    other = [name for name in wanted if name in given and given[name].shape != wanted[name].shape]
    parts = [
        f"{len(names)} of {len(wanted)} tensors {what} (such as {names[0]})"
        for names, what in [(missing, "missing"), (unknown, "unknown"), (other, "of another shape")]
        if names
    ]
    return ", ".join(parts)
