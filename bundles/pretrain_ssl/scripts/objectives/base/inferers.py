"""Calls an objective's network, in training and in validation."""

from inspect import signature

from monai.inferers import Inferer
from torch import Tensor, nn

from ...common.errors import InputError


class ChunkInferer(Inferer):
    """Calls the network in training mode; in chunks only a network that takes `chunk_size`.

    Args:
        crops: how many crops, of two views each, at a time; None: all at once.

    Raises:
        InputError: on the first call, `crops` is given and the network takes no `chunk_size`.
    """

    def __init__(self, crops: int | None) -> None:
        self.chunk_size = crops and 2 * crops

    def __call__(self, inputs: Tensor, network: nn.Module):
        if self.chunk_size is None:
            return network(inputs)
        if "chunk_size" not in signature(getattr(network, "module", network).forward).parameters:
            raise InputError(
                "this objective's network takes a batch as a whole: leave --chunk_size out, and "
                "give a smaller --batch_size where memory is short."
            )
        return network(inputs, chunk_size=self.chunk_size)


class ValidationInferer(Inferer):
    """Runs a network in evaluation mode for the loss, DDP-wrapped or not.

    That is `network.all_heads(inputs)` where a network has that method, because in evaluation mode
    its forward returns one image alone; otherwise it is the forward.
    """

    def __call__(self, inputs: Tensor, network: nn.Module):
        bare = getattr(network, "module", network)
        return getattr(bare, "all_heads", bare)(inputs)
