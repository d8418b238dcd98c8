"""Metrics, chance levels and loss terms of fusions whose values are known."""

import pytest
import torch
from monai.losses import DiceCELoss
from torch.nn.functional import one_hot

K = 4


@pytest.fixture
def metrics(fusion):
    dice_ce = DiceCELoss(to_onehot_y=True, softmax=True)
    return fusion.FusionMetrics(fusion.FusionLoss({"dice": 0.5, "cross_entropy": 0.5}, dice_ce))


def logits_of(levels: torch.Tensor) -> torch.Tensor:
    """Logits that are sure of these levels (B, 1, X, Y, Z)."""
    return 40.0 * one_hot(levels[:, 0], K + 1).movedim(-1, 1)


def targets_of(labels: torch.Tensor) -> dict:
    """Half of the voxels differ enough to be told apart."""
    difference = torch.full(labels.shape, 0.019)
    difference[..., :4] = 0.021
    return {"labels": labels, "difference": difference}


@pytest.fixture
def labels() -> torch.Tensor:
    return torch.randint(0, K + 1, (3, 1, 8, 8, 8))


def test_the_right_levels_reach_1_and_no_loss(metrics, labels):
    target, pred = targets_of(labels), logits_of(labels)
    values = metrics.of_crops(pred, target)
    assert {name: value.tolist() for name, value in values.items()} == {
        name: [1, 1, 1]
        for name in ("fusion_dice", "fusion_accuracy", "distinct_accuracy", "mixture_accuracy")
    }
    terms = metrics.loss.terms(pred, target)
    assert set(terms) == {"dice_loss", "cross_entropy_loss"}
    assert all(abs(float(term)) < 1e-4 for term in terms.values())


def test_one_wrong_half_counts_where_it_is(metrics, labels):
    wrong = labels.clone()
    wrong[..., 4:] = (labels[..., 4:] + 1) % (K + 1)  # where the crops hardly differ
    values = metrics.of_crops(logits_of(wrong), targets_of(labels))
    assert values["fusion_accuracy"].tolist() == [0.5] * 3
    assert values["distinct_accuracy"].tolist() == [1] * 3


def test_exchanged_crops_are_the_same_mixture(metrics, labels):
    labels[..., 4:] = 1  # which does not count, where the crops hardly differ
    labels[..., 0, 0] = 3
    wrong = K - labels
    wrong[..., 0, 0] = 2  # one of 32 distinct voxels of a row
    values = metrics.of_crops(logits_of(wrong), targets_of(labels))
    assert values["mixture_accuracy"].tolist() == [1 - 1 / 32] * 3
    is_middle = (labels[..., :4] == 2).flatten(1).float()
    assert values["distinct_accuracy"].tolist() == pytest.approx(is_middle.mean(dim=1).tolist())


def test_dice_is_the_mean_over_the_levels_that_a_crop_has(metrics):
    labels = torch.zeros(1, 1, 8, 8, 8, dtype=torch.int64)
    labels[..., 0], labels[..., 1] = 1, 3
    predicted = labels.clone()
    predicted[..., :4, 1] = 0  # half of level 3 missed: Dice 2/3
    predicted[..., 7] = 2  # a level that is not there does not count
    value = metrics.of_crops(logits_of(predicted), targets_of(labels))["fusion_dice"]
    assert value.tolist() == pytest.approx([(1 + 2 / 3) / 2])


def chance_of(metrics, *batches: torch.Tensor) -> dict[str, float]:
    """The chance levels of an epoch of these batches of labels."""
    metrics.reset()
    for labels in batches:
        metrics.update((logits_of(labels), targets_of(labels)))
    metrics.compute()
    return metrics.chance


@pytest.mark.parametrize("size", [1, 2, 4])
def test_chance_does_not_depend_on_the_size_of_a_batch(metrics, size):
    labels = torch.ones(4, 1, 8, 8, 8, dtype=torch.int64)
    labels[1], labels[2, ..., :2], labels[3, ..., :4] = 2, 4, 3  # level 1 is best over all four
    chance = chance_of(metrics, *labels.split(size))
    shares = [1, 0, 0.75, 0.5]
    assert chance["fusion_accuracy"] == pytest.approx(sum(shares) / 4)
    assert chance == pytest.approx(chance_of(metrics, labels))


def test_chance_is_the_best_single_level(metrics):
    labels = torch.zeros(2, 1, 10, 10, 10, dtype=torch.int64)
    for level, first in enumerate((3, 5, 6, 7), start=1):
        labels[:, :, first : first + 1] = level
    labels[:, :, 4] = 1  # shares 0.5, 0.2, 0.1, 0.1, 0.1
    chance = chance_of(metrics, labels)
    assert chance["fusion_accuracy"] == pytest.approx(0.5)
    assert chance["distinct_accuracy"] == pytest.approx(0.5)
    assert chance["mixture_accuracy"] == pytest.approx(0.6)  # levels 0 and 4
    assert chance["fusion_dice"] == pytest.approx(2 * 0.2 / (1 + 0.2) / K)


def test_a_crop_without_distinct_voxels_has_accuracy_0(metrics, labels):
    target = {"labels": labels, "difference": torch.zeros(labels.shape)}
    values = metrics.of_crops(logits_of(labels), target)
    assert values["distinct_accuracy"].tolist() == values["mixture_accuracy"].tolist() == [0] * 3


def test_the_terms_are_those_of_monai_and_half_each(metrics, labels):
    target, pred = targets_of(labels), torch.randn(3, K + 1, 8, 8, 8)
    whole = DiceCELoss(to_onehot_y=True, softmax=True, lambda_dice=0.5, lambda_ce=0.5)
    assert metrics.loss(pred, target) == pytest.approx(whole(pred, labels).item(), rel=1e-6)
    halved = metrics.loss(pred.bfloat16(), target)
    assert halved.dtype == torch.float32
