"""Predicts labels from embeddings: a linear probe and a nearest-neighbour probe."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

PENALTIES = tuple(10.0**power for power in range(-4, 5))  # of the mean of the kernel's diagonal


def standardise(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Scales features to mean 0 and deviation 1 over the training images; constant ones to 0.

    Args:
        train, test: (N, F) and (M, F), float64.
    """
    mean, deviation = train.mean(dim=0), train.std(dim=0, correction=0)
    is_constant = deviation < 1e-12 * mean.abs().clamp(min=1)
    scale = torch.where(is_constant, 0.0, 1 / deviation.clamp(min=1e-300))
    return (train - mean) * scale, (test - mean) * scale


def ridge(train: Tensor, targets: Tensor, test: Tensor) -> Tensor:
    """Predicts by ridge regression; the penalty has the least leave-one-out squared error.

    That error is computed in closed form, over the training images alone: an image's residual
    divided by 1 - h, where h is its own share in its prediction.

    Args:
        train, test: (N, F) and (M, F), float64, standardised over `train`.
        targets: (N, K).

    Returns:
        (M, K).
    """
    kernel, offset = train @ train.T, targets.mean(dim=0)
    values, vectors = torch.linalg.eigh(kernel)
    values = values.clamp(min=0)
    projected = vectors.T @ (targets - offset)
    penalties = torch.tensor(PENALTIES, dtype=train.dtype) * values.mean().clamp(min=1e-12)

    def left_out_error(penalty: Tensor) -> Tensor:
        shrunk = values / (values + penalty)
        residuals = targets - offset - vectors @ (shrunk[:, None] * projected)
        shares = 1 / len(train) + (vectors**2 @ shrunk)
        return (residuals / (1 - shares).clamp(min=1e-9)[:, None]).square().mean()

    best = penalties[torch.stack([left_out_error(each) for each in penalties]).argmin()]
    return test @ train.T @ vectors @ (projected / (values + best)[:, None]) + offset


def nearest(train: Tensor, targets: Tensor, test: Tensor, neighbours: int = 1) -> Tensor:
    """Predicts the mean target of the training images with the largest cosine similarity.

    Args:
        train, test, targets: see `ridge`.
        neighbours: how many; in a tie of classes the nearest decides.

    Returns:
        (M, K).
    """
    similarity = normalize(test, dim=1) @ normalize(train, dim=1).T
    indices = similarity.topk(min(neighbours, len(train)), dim=1).indices
    votes = targets[indices]
    return votes.mean(dim=1) + 1e-9 * votes[:, 0]


def mean(train: Tensor, targets: Tensor, test: Tensor) -> Tensor:
    """Predicts the mean target of the training images: chance of values."""
    return targets.mean(dim=0).expand(len(test), -1)


def most_frequent(train: Tensor, targets: Tensor, test: Tensor, classes: Tensor) -> Tensor:
    """Predicts the most frequent class of the whole table: chance of classes.

    That of the training images would be another one for each fold: of two equal classes and one
    image left out it is always the wrong one, and chance would be 0.

    Args:
        train, test, targets: see `ridge`.
        classes: (N, K), the targets of all images.
    """
    return classes.sum(dim=0).expand(len(test), -1)
