# generated from common/network/layer_decay.py, do not edit: `make copies`
"""Lets each block of the encoder learn more slowly than the one after it."""

import logging
import re

from torch import nn

from ..errors import InputError
from .encoder import ENCODER

logger = logging.getLogger(__name__)

STAGE = re.compile(r"layers(\d)(c?)\.0\.(?:blocks\.(\d+)\.)?")


def depth_groups(
    network: nn.Module,
    learning_rate: float,
    encoder_lr_scale: float,
    layer_decay: float,
    pretrained: str | None,
) -> list[dict]:
    """Splits parameters into an optimizer's groups by their depth, the rest of the network first.

    With B blocks in the encoder, depth 0 is the patch embedding, depth 1 to B are the blocks, and
    B + 1 is all outside the encoder. The merging after a stage has the depth of its last block,
    the convolution before a stage (`use_v2`) that of its first one. A depth's learning rate is
    `learning_rate * layer_decay ** (B + 1 - depth)`, in the encoder times `encoder_lr_scale`.

    Source: `get_swin_layer` in github.com/microsoft/SimMIM; the idea is that of BEiT (Bao et al.,
    ICLR 2022). SimMIM has no weight decay on biases and norms; here it is as without this decay.

    Args:
        network: with Swin UNETR's encoder; DDP-wrapped or not.
        learning_rate: of all outside the encoder.
        encoder_lr_scale: a further share for the encoder; 0 if it is frozen.
        layer_decay: from 0, excluded, to 1, which is no decay.
        pretrained: the weights that the training starts from; without any, a warning says that a
            random encoder is slowed down.

    Raises:
        InputError: the decay is out of its range.
    """
    if not 0 < layer_decay <= 1:
        raise InputError(
            f"--layer_decay {layer_decay} is no share of a learning rate; give a number above 0 "
            "and at most 1, such as 0.75."
        )
    if layer_decay < 1 and not pretrained:
        logger.warning(
            f"--layer_decay {layer_decay:g} slows down an encoder that starts at random; give "
            "--pretrained, or leave configs/schedules/layer_decay.json out"
        )
    named = list(network.named_parameters())
    blocks = block_counts([name for name, _ in named])
    last = sum(blocks) + 1
    by_depth: dict[int, list[nn.Parameter]] = {}
    for name, parameter in named:
        by_depth.setdefault(depth_of(name, blocks), []).append(parameter)
    return [
        {
            "params": by_depth[depth],
            "lr": learning_rate
            * layer_decay ** (last - depth)
            * (1 if depth == last else encoder_lr_scale),
        }
        for depth in sorted(by_depth, reverse=True)
    ]


def block_counts(names: list[str]) -> list[int]:
    """Counts the blocks of each of the encoder's stages, from the names of its parameters."""
    found: dict[int, int] = {}
    for name in names:
        match = STAGE.match(name.partition(ENCODER)[2])
        if match and match[3]:
            stage = int(match[1])
            found[stage] = max(found.get(stage, 0), int(match[3]) + 1)
    return [found[stage] for stage in sorted(found)]


def depth_of(name: str, blocks: list[int]) -> int:
    """Returns the depth of a parameter: 0 for the patch embedding; see `depth_groups`.

    Args:
        name: of the parameter.
        blocks: of each stage.

    Raises:
        ValueError: it is in the encoder, and its name is none of Swin UNETR's.
    """
    _, is_encoder, inner = name.partition(ENCODER)
    if not is_encoder:
        return sum(blocks) + 1
    if inner.startswith("patch_embed."):
        return 0
    match = STAGE.match(inner)
    if not match:
        raise ValueError(f"{name} is at no known depth of the encoder")
    stage, is_convolution, block = int(match[1]), match[2], match[3]
    before = sum(blocks[: stage - 1])
    if is_convolution:
        return before + 1
    return before + int(block) + 1 if block else before + blocks[stage - 1]
