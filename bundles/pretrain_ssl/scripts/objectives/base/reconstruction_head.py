"""Builds the head that restores a crop from the encoder's last stage (paper section 3.2)."""

from torch import nn

STRIDE = 32  # the encoder's last stage has one token per 32 voxels along each axis


class ReconstructionHead(nn.Sequential):
    """Restores crops: (B, F, X/32, …) to (B, C, X, …).

    Args:
        features: F of the last stage, 16 times the feature size.
        channels: C.
        decoder: "deconvolution", the paper's single transposed convolution, or "convolutions", the
            official script's default: five of them, each doubling the size by interpolation.
    """

    def __init__(self, features: int, channels: int, decoder: str = "deconvolution") -> None:
        decoders = {
            "deconvolution": [nn.ConvTranspose3d(features, channels, STRIDE, STRIDE)],
            "convolutions": convolutions(features, channels),
        }
        if decoder not in decoders:
            raise ValueError(f"decoder {decoder!r} is unknown; choose from {', '.join(decoders)}.")
        super().__init__(*decoders[decoder])


def convolutions(features: int, channels: int) -> list[nn.Module]:
    """Builds the layers of the official script's decoder (its `SSLHead`, `upsample="vae"`)."""
    widths, layers = [features // factor for factor in (1, 2, 4, 8, 16, 16)], []
    for width, narrower in zip(widths, widths[1:]):
        layers += [
            nn.Conv3d(width, narrower, kernel_size=3, padding=1),
            nn.InstanceNorm3d(narrower),
            nn.LeakyReLU(),
            nn.Upsample(scale_factor=2, mode="trilinear"),
        ]
    return [*layers, nn.Conv3d(widths[-1], channels, kernel_size=1)]
