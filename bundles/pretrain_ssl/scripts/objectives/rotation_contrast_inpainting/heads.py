"""Builds the rotation and the contrastive head of the pre-training (paper section 3.2).

The third, `ReconstructionHead`, is in `base`. All read the encoder's last stage,
(B, F, X/32, Y/32, Z/32). The presets in configs/objectives/, `heads_paper.json` and
`heads_official.json`, are choices of `tokens`, `projection_kind` and `decoder`; the defaults
are those with which a small batch on one GPU converges.
"""

from math import prod

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_gather

from ..base import ReadTokens
from ..base.reconstruction_head import STRIDE


class GatheredBatchNorm1d(nn.BatchNorm1d):
    """Normalises by the statistics of all processes' batches, on CPU as on CUDA."""

    def forward(self, values: Tensor) -> Tensor:
        if not (self.training and dist.is_initialized()):
            return super().forward(values)
        return super().forward(gathered(values)).chunk(dist.get_world_size())[dist.get_rank()]


def gathered(values: Tensor) -> Tensor:
    """Gathers (B, …) of every process in their order, (world size x B, …), with gradients."""
    return torch.cat(all_gather(values.contiguous()))


def gathered_views(embedding: Tensor) -> Tensor:
    """Gathers (2B, D) of every process, all first views before all second, with gradients."""
    if not dist.is_initialized():
        return embedding
    first, second = embedding.chunk(2)
    return torch.cat([gathered(first), gathered(second)])


def projection(kind: str, features: int, hidden: int, outputs: int) -> nn.Module:
    """Builds the layers that follow the tokens of a head: (B, features) to (B, outputs).

    Args:
        kind: "linear", "mlp" with one hidden layer, or "batch_norm_mlp" (as in SimCLR).
        hidden: width of the hidden layer.
    """
    first, last = nn.Linear(features, hidden), nn.Linear(hidden, outputs)
    kinds = {
        "linear": nn.Linear(features, outputs),
        "mlp": nn.Sequential(first, nn.ReLU(), last),
        "batch_norm_mlp": nn.Sequential(first, GatheredBatchNorm1d(hidden), nn.ReLU(), last),
    }
    if kind not in kinds:
        raise ValueError(f"projection {kind!r} is unknown; choose from {', '.join(kinds)}.")
    return kinds[kind]


class RotationHead(nn.Sequential):
    """Predicts quarter turns: (B, F, …) to (B, 4) logits.

    Args:
        features: F of the last stage, 16 times the feature size.
        patch_size: crop size in voxels; with tokens "all" only crops of this size are accepted.
        tokens: see `ReadTokens`. Pooled tokens have lost where they were, and with it the rotation.
        projection_kind: see `projection`.
    """

    def __init__(
        self,
        features: int,
        patch_size: list[int],
        tokens: str | int = "all",
        projection_kind: str = "linear",
    ) -> None:
        n_tokens = prod(size // STRIDE for size in patch_size) if tokens == "all" else 1
        layers = projection(projection_kind, features * n_tokens, features, 4)
        super().__init__(ReadTokens(tokens), layers)


class ContrastiveHead(nn.Sequential):
    """Embeds crops: (B, F, …) to (B, embedding_size); in training of all processes' crops.

    With one linear layer, as in the paper, all embeddings start nearly equal and the loss stays at
    its chance value for long; batch normalisation in a hidden layer prevents that.

    Args:
        features: F of the last stage, 16 times the feature size.
        tokens: see `ReadTokens`.
        projection_kind: see `projection`.
        embedding_size: 512 in the paper.
    """

    def __init__(
        self,
        features: int,
        tokens: str | int = "mean",
        projection_kind: str = "batch_norm_mlp",
        embedding_size: int = 512,
    ) -> None:
        layers = projection(projection_kind, features, features, embedding_size)
        super().__init__(ReadTokens(tokens), layers)

    def forward(self, features: Tensor) -> Tensor:
        embedding = super().forward(features)
        return gathered_views(embedding) if self.training else embedding
