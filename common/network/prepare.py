"""Puts a network on its device."""

import torch
from torch import nn

from .fast_attention import accelerate


def prepare_network(
    network: nn.Module,
    device: str | torch.device,
    fast_attention: bool = True,
    channels_last: bool = False,
    compiled: bool = False,
) -> nn.Module:
    """The same network on its device; weights and state-dict keys stay as they are.

    Args:
        fast_attention: see `fast_attention.accelerate`.
        channels_last: store convolutions' weights with the channels last.
        compiled: run it by `torch.compile`, which needs a C++ compiler, on CUDA Triton.
    """
    network = accelerate(network.to(device), fast_attention)
    if channels_last:
        network = network.to(memory_format=torch.channels_last_3d)
    if compiled:
        network.compile(dynamic=False)
    return network
