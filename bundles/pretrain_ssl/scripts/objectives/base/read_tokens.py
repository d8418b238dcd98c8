"""Selects what a head reads of the encoder's last stage."""

from torch import Tensor, nn


class ReadTokens(nn.Module):
    """Selects the tokens of a head: (B, F, x, y, z) to (B, F) or, of all, (B, F x y z).

    Args:
        tokens: "all", flattened, so that their places are kept; "mean"; or the number of a single
            one, as in the official script: 0 is a corner of the crop.
    """

    def __init__(self, tokens: str | int) -> None:
        super().__init__()
        self.tokens = tokens

    def forward(self, features: Tensor) -> Tensor:
        if self.tokens == "all":
            return features.flatten(1)
        features = features.flatten(2)
        return features.mean(dim=2) if self.tokens == "mean" else features[:, :, self.tokens]
