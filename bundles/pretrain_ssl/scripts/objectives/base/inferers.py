"""Calls an objective's network, in training and in validation."""

from monai.inferers import Inferer
from torch import Tensor, nn


class ChunkInferer(Inferer):
    """Calls the network in training mode; in chunks only a network that takes `chunk_size`.

    Args:
        crops: how many crops, of two views each, at a time; None: all at once.
    """

    def __init__(self, crops: int | None) -> None:
        self.chunk_size = crops and 2 * crops

    def __call__(self, inputs: Tensor, network: nn.Module):
        if self.chunk_size is None:
            return network(inputs)
        return network(inputs, chunk_size=self.chunk_size)


class ValidationInferer(Inferer):
    """Runs a network in evaluation mode for the loss, DDP-wrapped or not.

    That is `network.all_heads(inputs)` where a network has that method, because in evaluation mode
    its forward returns one image alone; otherwise it is the forward.
    """

    def __call__(self, inputs: Tensor, network: nn.Module):
        bare = getattr(network, "module", network)
        return getattr(bare, "all_heads", bare)(inputs)
