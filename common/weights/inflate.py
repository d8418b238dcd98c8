"""Inflates the input layers of one-channel weights to a network of several channels."""

from collections.abc import Mapping

from torch import Tensor

from .architecture import PATCH

# Layers that see the image: the encoder's, and the two of the decoder's first skip connection.
INPUT_LAYERS = (PATCH, "encoder1.layer.conv1.conv.weight", "encoder1.layer.conv3.conv.weight")


def repeat_input_channel(
    file_tensors: Mapping[str, Tensor], network_tensors: Mapping[str, Tensor]
) -> Mapping[str, Tensor]:
    """Repeats the weights of one input channel over the network's, divided by their number.

    So equal channels give the same output as the one channel did. Where the network has no more
    channels than the file, `file_tensors` itself is returned.

    Args:
        file_tensors: a file's tensors by SwinUNETR's names; an input layer is (F, 1, x, y, z).
        network_tensors: the network's; an input layer is (F, C, x, y, z).
    """
    shapes = {name: network_tensors[name].shape for name in INPUT_LAYERS if name in network_tensors}
    inflated = {
        name: file_tensors[name].expand(shape) / shape[1]
        for name, shape in shapes.items()
        if name in file_tensors
        if file_tensors[name].shape[1] == 1 < shape[1]
        if file_tensors[name].shape[0] == shape[0]
    }
    return {**file_tensors, **inflated} if inflated else file_tensors
