"""Measures whether a student recognises its hidden tokens and the other crop."""

from collections.abc import Mapping
from math import log

import torch
from torch import Tensor

from ..masked import MaskedMetrics


class DistilledMetrics(MaskedMetrics):
    """Adds to the masked metrics those of tokens, of crops, and of the teacher's collapse."""

    def of_crops(
        self, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Computes the metrics of single crops, (N,) each.

        `token_top1`, the share of hidden tokens whose nearest teacher token, of all in the batch,
        is their own; `global_top1`, whether the nearest of all other crops is that of the same
        volume; `token_evenness`, the mean entropy of the teacher's assignments of single tokens, as
        a share of ln K: 1 is collapse, the same even probabilities for every token;
        `teacher_entropy`, of the batch's mean assignment, nats: 0 is collapse, one prototype for
        every token, ln K at most. It is the same for all crops of a batch.

        Args:
            pred, target: as `DistilledLoss.terms` takes them.
        """
        student, teacher = pred["token_embedding"].float(), target["token_embedding"]
        likeness = student.flatten(0, 1) @ teacher.flatten(0, 1).T
        own = torch.arange(len(likeness), device=likeness.device)
        right = (likeness.argmax(dim=1) == own).view(student.shape[:2])
        hidden = target["hidden_tokens"]
        crops = pred["global_embedding"].float() @ target["global_embedding"].T
        places = torch.arange(len(crops), device=crops.device)
        nearest = crops.fill_diagonal_(-torch.inf).argmax(dim=1)
        assignment = target["token_assignment"]
        evenness = torch.special.entr(assignment).sum(dim=-1) / log(assignment.shape[-1])
        entropy = torch.special.entr(assignment.flatten(0, 1).mean(dim=0)).sum()
        return {
            **super().of_crops(pred, target),
            "token_top1": (right & hidden).sum(dim=1) / hidden.sum(dim=1).clamp(min=1),
            "global_top1": (nearest == places ^ 1).float(),
            "token_evenness": evenness.mean(dim=1),
            "teacher_entropy": entropy.expand(len(crops)),
        }

    def chance_levels(
        self, pred: Mapping[str, Tensor], target: Mapping[str, Tensor]
    ) -> dict[str, float | Tensor]:
        """Adds one token of all, and one crop of all others."""
        crops, tokens = target["hidden_tokens"].shape
        chance = {"token_top1": 1 / (crops * tokens), "global_top1": 1 / (crops - 1)}
        return super().chance_levels(pred, target) | chance
