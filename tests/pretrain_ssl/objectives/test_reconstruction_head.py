"""The head that restores a crop: its sizes, its layers."""

import pytest
import torch
from torch import nn


def test_an_unknown_decoder_is_refused(base):
    with pytest.raises(ValueError, match="'unet' is unknown; choose from deconvolution"):
        base.ReconstructionHead(16, 1, decoder="unet")


@pytest.mark.parametrize("decoder", ["deconvolution", "convolutions"])
def test_decoders_restore_the_crops_size(base, decoder):
    head = base.ReconstructionHead(16, 2, decoder)
    assert head(torch.rand(1, 16, 2, 2, 1)).shape == (1, 2, 64, 64, 32)


def test_official_decoder_has_five_convolutions_and_a_last_one(base):
    layers = base.ReconstructionHead(32, 1, "convolutions")
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv3d)]
    widths = [(layer.in_channels, layer.out_channels) for layer in convolutions]
    assert widths == [(32, 16), (16, 8), (8, 4), (4, 2), (2, 2), (2, 1)]
