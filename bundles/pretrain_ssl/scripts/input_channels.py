# Shared: the original is bundles/btcv_segmentation/scripts/input_channels.py (see tools/vendor.py).
"""An encoder of one input channel in a network of several."""

from collections.abc import Mapping

from torch import Tensor

from .architecture import PATCH

# Layers that see the image: the encoder's, and the two of the decoder's first skip connection.
INPUT_LAYERS = (PATCH, "encoder1.layer.conv1.conv.weight", "encoder1.layer.conv3.conv.weight")


def inflated(given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Weights of the one input channel, repeated over the network's and divided by their number.

    So equal channels give what the one channel gave. Where the network has no more channels than
    the file, `given` itself is returned.

    Args:
        given: a file's tensors by SwinUNETR's names.
        own: the network's.
    """
    shared = {
        name: given[name].expand(own[name].shape) / own[name].shape[1]
        for name in INPUT_LAYERS
        if name in given and name in own
        if given[name].shape[1] == 1 < own[name].shape[1]
        if given[name].shape[0] == own[name].shape[0]
    }
    return {**given, **shared} if shared else given
