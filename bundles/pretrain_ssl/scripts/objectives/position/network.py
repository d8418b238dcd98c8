"""Adds a head that tells a crop's position to an objective's network."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..base import ReadTokens
from .batch import SIZE


class PositionHead(nn.Sequential):
    """Predicts where a crop lies: (B, F, X/32, Y/32, Z/32) to (B, 27), from the mean token.

    Args:
        features: F of the encoder's last stage, 16 times the feature size.
    """

    def __init__(self, features: int) -> None:
        layers = nn.Linear(features, features), nn.ReLU(), nn.Linear(features, SIZE)
        super().__init__(ReadTokens("mean"), nn.Sequential(*layers))


@contextmanager
def last_stage(encoder: nn.Module) -> Iterator[list[Tensor]]:
    """Collects the outputs of the encoder's last stage while the body runs.

    Each forward of the encoder, by its own method or by `encode`, adds one, normalised as the
    heads of an objective get it. The hook is gone with the body, so that neither a forward that
    checkpointing repeats in the backward pass nor a copy of the encoder adds any.

    Args:
        encoder: MONAI's.
    """
    outputs: list[Tensor] = []
    handle = encoder.layers4[0].register_forward_hook(
        lambda stage, inputs, output: outputs.append(encoder.proj_out(output, True))
    )
    try:
        yield outputs
    finally:
        handle.remove()


class TellsPosition:
    """Adds `position` to the outputs of a network; a class in front of the network's own.

    The network's own class is the next one; it has the encoder `swinViT` and the method
    `all_heads`, which its forward in training mode calls too.
    """

    def all_heads(self, *inputs, **options) -> dict[str, Tensor]:
        """Computes the network's own outputs, from the inputs as they are, and `position`."""
        with last_stage(self.swinViT) as stages:
            outputs = super().all_heads(*inputs, **options)
        return {**outputs, "position": self.position_head(torch.cat(stages))}


def add_head(network: nn.Module) -> nn.Module:
    """Adds `position_head` to a network, in place; its other tensors keep their names.

    Evaluation and inference of its own outputs stay as they are, without the head.

    Args:
        network: see `TellsPosition`.

    Returns:
        The same network.
    """
    own = type(network)
    network.__class__ = type(f"Position{own.__name__}", (TellsPosition, own), {})
    network.position_head = PositionHead(16 * network.swinViT.embed_dim)
    return network
