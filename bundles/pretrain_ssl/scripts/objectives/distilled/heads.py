"""Compares features with learnt prototypes."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize


class PrototypeHead(nn.Module):
    """Projects features to a bottleneck and computes their cosines with prototypes.

    Three linear layers with GELU between them, L2 normalisation, and a last layer of weight norm
    whose gain is fixed at 1, as in DINO (Caron et al., ICCV 2021, arXiv:2104.14294) and SMIT.

    Args:
        features: of the input.
        prototypes: how many.
        width: of the two hidden layers.
        bottleneck: features that are compared with the prototypes.
    """

    def __init__(
        self, features: int, prototypes: int, width: int = 2048, bottleneck: int = 256
    ) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(features, width),
            nn.GELU(),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, bottleneck),
        )
        self.prototypes = nn.Parameter(torch.randn(prototypes, bottleneck))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Computes embeddings (…, bottleneck) of length 1, and cosines (…, prototypes)."""
        embedding = normalize(self.mlp(features).float(), dim=-1)
        return embedding, linear(embedding, normalize(self.prototypes.float(), dim=-1))
