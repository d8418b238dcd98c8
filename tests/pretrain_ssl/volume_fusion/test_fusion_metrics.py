"""Metrics, chance levels and loss terms of fusions whose values are known."""

from math import isnan

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


def test_chance_is_the_best_single_level_and_of_dice_random_levels(metrics):
    labels = torch.zeros(2, 1, 10, 10, 10, dtype=torch.int64)
    for level, first in enumerate((3, 5, 6, 7), start=1):
        labels[:, :, first : first + 1] = level
    labels[:, :, 4] = 1  # shares 0.5, 0.2, 0.1, 0.1, 0.1
    chance = chance_of(metrics, labels)
    assert chance["fusion_accuracy"] == pytest.approx(0.5)
    assert chance["distinct_accuracy"] == pytest.approx(0.5)
    assert chance["mixture_accuracy"] == pytest.approx(0.6)  # levels 0 and 4
    dice = [2 * share / K / (share + 1 / K) for share in (0.2, 0.1, 0.1, 0.1)]
    assert chance["fusion_dice"] == pytest.approx(sum(dice) / K)


def test_chance_of_dice_is_a_single_level_where_crops_have_no_other(metrics):
    labels = torch.zeros(2, 1, 8, 8, 8, dtype=torch.int64)
    labels[:, :, :4] = 3
    assert chance_of(metrics, labels)["fusion_dice"] == pytest.approx(2 * 0.5 / (1 + 0.5))


def drawn_labels(fusion, settings, crops: int) -> torch.Tensor:
    """Labels of crops of the demo, (B, 1, X, Y, Z)."""
    draw_labels = fusion.FuseCrops(settings, crops_per_item=2, seed=0).draw_labels
    drawn = [draw_labels([0, crop, 0], (64, 64, 32)) for crop in range(crops)]
    return torch.stack(drawn)[:, None].long()


def test_no_random_levels_reach_more_than_chance(metrics, fusion, settings):
    labels, rng = drawn_labels(fusion, settings, crops=32), torch.Generator().manual_seed(0)
    target = targets_of(labels)
    chance = chance_of(metrics, *labels.split(16))["fusion_dice"]
    assert chance == pytest.approx(0.18, abs=0.005)  # 0.06 by any single level

    def dice_of(shares: list[int]) -> float:
        weights = torch.tensor(shares, dtype=torch.float32)
        drawn = torch.multinomial(weights, labels.numel(), replacement=True, generator=rng)
        guess = drawn.view(labels.shape)
        return float(fusion.metrics.fusion_metrics(guess, target, K)["fusion_dice"].mean())

    assert dice_of([0, 1, 1, 1, 1]) == pytest.approx(chance, abs=5e-4)
    assert dice_of([1, 1, 1, 1, 1]) == pytest.approx(chance - 0.015, abs=0.003)
    for shares in ([0, 1, 1, 0, 0], [0, 3, 1, 1, 1], [0, 1, 2, 3, 4], [2, 3, 3, 3, 3]):
        assert dice_of(shares) < chance


def test_no_frequencies_of_levels_reach_much_more_than_chance(metrics, fusion, settings):
    """Those that are fitted to the labels, which a guess does not see, are within 0.001."""
    labels = drawn_labels(fusion, settings, crops=32)
    chance = chance_of(metrics, labels)["fusion_dice"]
    of_crops = labels.flatten(1)
    shares = torch.stack([(of_crops == k).double().mean(dim=1) for k in range(1, K + 1)], dim=1)
    logits = torch.zeros(K, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.05)
    for _ in range(200):
        given = logits.softmax(dim=0)
        dice = (2 * shares * given / (shares + given)).mean()
        optimizer.zero_grad()
        (-dice).backward()
        optimizer.step()
    assert chance <= float(dice.detach()) < chance + 0.001


def test_a_crop_without_distinct_voxels_has_no_part_in_their_accuracies(metrics, labels):
    target = targets_of(labels)
    target["difference"][1] = 0
    wrong = labels.clone()
    wrong[0, ..., :2] = (labels[0, ..., :2] + 1) % (K + 1)  # half of the distinct voxels
    values = metrics.of_crops(logits_of(wrong), target)["distinct_accuracy"]
    assert values[[0, 2]].tolist() == [0.5, 1] and values[1].isnan()
    assert metrics({"pred": logits_of(wrong), "label": target})["distinct_accuracy"] == 0.75

    for sizes in ([3], [1, 2], [1, 1, 1]):  # alone in its batch in the last
        metrics.reset()
        firsts = torch.tensor([0, *sizes]).cumsum(dim=0)
        for first, end in zip(firsts, firsts[1:]):
            part = {name: value[first:end] for name, value in target.items()}
            metrics.update((logits_of(wrong[first:end]), part))
        means = metrics.compute()
        assert means["distinct_accuracy"] == 0.75
        assert means["fusion_accuracy"] == pytest.approx((0.75 + 1 + 1) / 3)
        of_levels = [
            [float((labels[crop, ..., :4] == level).float().mean()) for crop in (0, 2)]
            for level in range(K + 1)
        ]
        best = max(sum(shares) / 2 for shares in of_levels)
        assert metrics.chance["distinct_accuracy"] == pytest.approx(best)


def test_what_processes_add_up_gives_the_means_of_one(metrics, labels):
    target = targets_of(labels)
    target["difference"][1] = 0
    pred, states = torch.randn(3, K + 1, 8, 8, 8), []
    for first, end in ((0, 3), (0, 2), (2, 3)):  # one process; the shares of two
        metrics.reset()
        part = {name: value[first:end] for name, value in target.items()}
        metrics.update((pred[first:end], part))
        states.append([getattr(metrics, name).clone() for name in ("sums", "chance_sums")])
    alone, *of_two = states
    assert all(map(torch.allclose, alone, map(sum, zip(*of_two))))


def test_accuracies_of_an_epoch_without_distinct_voxels_are_not_numbers(metrics, labels):
    target = {"labels": labels, "difference": torch.zeros(labels.shape)}
    metrics.reset()
    metrics.update((logits_of(labels), target))
    means = metrics.compute()
    assert isnan(means["distinct_accuracy"]) and isnan(means["mixture_accuracy"])
    assert isnan(metrics.chance["distinct_accuracy"]) and means["fusion_accuracy"] == 1


def test_the_terms_are_those_of_monai_and_half_each(metrics, labels):
    target, pred = targets_of(labels), torch.randn(3, K + 1, 8, 8, 8)
    whole = DiceCELoss(to_onehot_y=True, softmax=True, lambda_dice=0.5, lambda_ce=0.5)
    assert metrics.loss(pred, target) == pytest.approx(whole(pred, labels).item(), rel=1e-6)
    halved = metrics.loss(pred.bfloat16(), target)
    assert halved.dtype == torch.float32
