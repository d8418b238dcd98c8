"""Holds the momentum teacher, which makes the targets of tokens and crops."""

import copy

import ignite.distributed as idist
import torch
from torch import Tensor, nn

from ..base import encode
from .heads import standardized

HEADS = ("token_head", "global_head")


def tokens_of(features: Tensor) -> Tensor:
    """Returns features (B, C, X, Y, Z) as standardized tokens (B, XYZ, C)."""
    return standardized(features.flatten(2).transpose(1, 2))


class Teacher(nn.Module):
    """Copies the parts of a student that its targets need; no gradient reaches the copy.

    The encoder's last merging, 29 % of its weights, lies behind the tokens and is left out.

    Args:
        encoder, token_head, global_head: the student's.

    Attributes:
        token_centre, global_centre: running means of the logits, (K,).
        temperature: by which the centred logits are divided.
    """

    def __init__(self, encoder: nn.Module, token_head: nn.Module, global_head: nn.Module) -> None:
        super().__init__()
        skipped = {id(encoder.layers4[0].downsample): nn.Identity()}
        self.encoder = copy.deepcopy(encoder, skipped)
        self.token_head, self.global_head = copy.deepcopy(token_head), copy.deepcopy(global_head)
        prototypes = len(token_head.prototypes)
        self.register_buffer("token_centre", torch.zeros(prototypes))
        self.register_buffer("global_centre", torch.zeros(prototypes))
        self.register_buffer("temperature", torch.tensor(0.04))
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Teacher":
        """Stays in evaluation mode, so that its targets have no dropout."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Computes the targets of crops (B, 1, X, Y, Z), of which nothing is hidden.

        Returns:
            `token_embedding` (B, T, D), `token_assignment` (B, T, K), `global_embedding` (B, D),
            `global_assignment` (B, K), and `token_mean`, `global_mean`, the mean logits, (K,).
        """
        tokens = tokens_of(encode(self.encoder, image)[-1])
        targets = {}
        for name, head, features in (
            ("token", self.token_head, tokens),
            ("global", self.global_head, tokens.mean(dim=1)),
        ):
            targets[f"{name}_embedding"], logits = head(features)
            centred = (logits - getattr(self, f"{name}_centre")) / self.temperature
            targets[f"{name}_assignment"] = centred.softmax(dim=-1)
            targets[f"{name}_mean"] = logits.flatten(0, -2).mean(dim=0)
        return targets

    @torch.no_grad()
    def follow(self, student: nn.Module, momentum: float) -> None:
        """Moves every tensor: momentum times itself, the rest the student's."""
        pairs = [(self.encoder, student.swinViT)]
        pairs += [(getattr(self, name), getattr(student, name)) for name in HEADS]
        for mine, theirs in pairs:
            own = dict(theirs.named_parameters())
            for name, value in mine.named_parameters():
                value.mul_(momentum).add_(own[name], alpha=1 - momentum)

    @torch.no_grad()
    def centre(self, means: dict[str, Tensor], momentum: float) -> None:
        """Moves both centres to the mean logits of a batch, averaged over the processes."""
        for name in ("token", "global"):
            mean = idist.all_reduce(means[f"{name}_mean"].clone()) / idist.get_world_size()
            getattr(self, f"{name}_centre").mul_(momentum).add_(mean, alpha=1 - momentum)
