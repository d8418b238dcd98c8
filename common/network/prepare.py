"""Prepares a network for its device: fast attention, memory format, compilation, DDP."""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from .fast_attention import accelerate


def prepare_network(
    network: nn.Module,
    device: str | torch.device,
    fast_attention: bool = True,
    channels_last: bool = False,
    compile: bool = False,
    matmul_precision: str | None = None,
) -> nn.Module:
    """Puts a network on its device; weights and state-dict keys stay as they are.

    Where several processes train together the result is wrapped by `DistributedDataParallel`.

    Args:
        network: changed in place.
        device: such as "cuda:0".
        fast_attention: see `fast_attention.accelerate`.
        channels_last: store convolutions' weights with the channels last.
        compile: run the network by `torch.compile`, which needs a C++ compiler, on CUDA Triton.
        matmul_precision: of float32 products of this process on CUDA: "high" lets them use TF32;
            None leaves PyTorch's setting, "highest" unless the program changed it.
    """
    if matmul_precision is not None:
        torch.set_float32_matmul_precision(matmul_precision)
    network = accelerate(network.to(device), fast_attention)
    if channels_last:
        network = network.to(memory_format=torch.channels_last_3d)
    if compile:
        network.compile(dynamic=False)
    return DistributedDataParallel(network) if dist.is_initialized() else network
