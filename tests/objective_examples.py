"""Random predictions and targets of the paper's objective."""

import torch


def example(crops: int = 3, dtype=torch.float32) -> tuple[dict, dict]:
    """Random predictions and targets of a batch."""
    pred = {
        "rotation": torch.randn(2 * crops, 4).to(dtype),
        "embedding": torch.randn(2 * crops, 8).to(dtype),
        "reconstruction": torch.rand(2 * crops, 1, 4, 4, 2).to(dtype),
    }
    target = {
        "rotation": torch.randint(4, (2 * crops,)),
        "reconstruction": torch.rand(2 * crops, 1, 4, 4, 2),
    }
    return pred, target
