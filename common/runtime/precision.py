"""Chooses the precision that a device computes in."""

import torch


def autocast_dtype(device: str | torch.device) -> torch.dtype:
    """Returns the autocast type: bfloat16 where the device computes in it, else float16."""
    is_cuda = torch.device(device).type == "cuda"
    return torch.bfloat16 if not is_cuda or torch.cuda.is_bf16_supported(False) else torch.float16
