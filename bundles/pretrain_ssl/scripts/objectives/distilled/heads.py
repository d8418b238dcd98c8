"""Compares tokens with learnt prototypes."""

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, linear, normalize


def standardized(tokens: Tensor) -> Tensor:
    """Gives each feature of a batch's tokens mean 0 and variance 1, in float32: (B, T, C).

    The tokens of an untrained encoder are nearly equal, since all images are positive: 94 % of
    their energy is their mean. A head that starts from them gives the teacher hardly any
    differences to teach, and both end at even probabilities for every token. The statistics are of
    this process's batch, in training as in evaluation.
    """
    tokens = tokens.float()
    return batch_norm(tokens.flatten(0, 1), None, None, training=True).view_as(tokens)


class PrototypeHead(nn.Module):
    """Projects features to a bottleneck and computes their cosines with prototypes.

    Three linear layers with GELU between them, L2 normalisation, and a last layer of weight norm
    whose gain is fixed at 1, as in DINO (Caron et al., ICCV 2021, arXiv:2104.14294) and SMIT. As
    there, weights of the linear layers start at a standard deviation of 0.02 and biases at 0.

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
        for layer in self.mlp[::2]:
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        self.prototypes = nn.Parameter(torch.randn(prototypes, bottleneck))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Computes embeddings (…, bottleneck) of length 1, and cosines (…, prototypes).

        Both are float32 under autocast too: the loss divides cosines by a small temperature, and
        the teacher's, which it compares them with, are float32.
        """
        features = self.mlp(features)
        with torch.autocast(features.device.type, enabled=False):
            embedding = normalize(features.float(), dim=-1)
            return embedding, linear(embedding, normalize(self.prototypes.float(), dim=-1))
