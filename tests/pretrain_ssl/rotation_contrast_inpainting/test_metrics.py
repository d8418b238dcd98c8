"""The metrics of the three tasks, of a batch and over an epoch."""

import pytest
import torch
from ignite.engine import Engine
from objective_examples import example

NAMES = (
    *("loss", "rotation_loss", "contrastive_loss", "reconstruction_loss"),
    *("rotation_accuracy", "contrastive_top1", "mean_cosine", "psnr", "l1", "l1_of_mean"),
)
ALL = {"rotation": 1.0, "contrastive": 1.0, "reconstruction": 1.0}


def figures_of(objective, logits=None, turns=None, restored=None, truth=None) -> dict:
    """Figures of the two views of two crops, where given; the rest is random."""
    pred, target = example(crops=2)
    pred |= {} if logits is None else {"rotation": logits}
    target |= {} if turns is None else {"rotation": turns}
    if restored is not None:
        pred["reconstruction"], target["reconstruction"] = restored, truth
    return objective.metrics.view_metrics(pred, target)


def test_rotation_accuracy_counts_the_largest_logits(objective):
    logits = torch.tensor([[9.0, 0, 0, 0], [0, 9.0, 0, 0], [0, 0, 9.0, 0], [0, 0, 0, 9.0]])
    found = figures_of(objective, logits=logits, turns=torch.tensor([0, 1, 2, 0]))
    assert found["rotation_accuracy"].tolist() == [1, 1, 1, 0]


def test_top1_is_one_for_perfect_embeddings(objective):
    assert objective.metrics.contrastive_top1(torch.eye(3).repeat(2, 1)).tolist() == [1] * 6


def test_top1_counts_the_views_whose_nearest_is_their_partner(objective):
    angles = torch.deg2rad(torch.tensor([0.0, 90.0, 10.0, 30.0]))  # crops a, b, then a, b
    embedding = torch.stack([angles.cos(), angles.sin()], dim=1)
    # a at 0 and 10 find each other; b at 90 finds b at 30, b at 30 finds a at 10
    assert objective.metrics.contrastive_top1(embedding).tolist() == [1, 1, 1, 0]


def test_top1_ignores_the_length_of_an_embedding(objective):
    embedding = torch.tensor([[1.0, 0.1], [0.1, 1.0], [100.0, 1.0], [1.0, 100.0]])
    assert objective.metrics.contrastive_top1(embedding).tolist() == [1] * 4


def test_mean_cosine_is_over_the_views_of_other_crops(objective):
    embedding = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [1.0, 1.0]])
    half = 2**-0.5  # crop a is at 0 and 0 degrees, crop b at 90 and 45
    expected = [half / 2, 0.0, half / 2, half]
    assert torch.allclose(objective.metrics.mean_cosine(embedding), torch.tensor(expected))


def test_one_crop_has_no_other_to_be_near_to(objective):
    assert objective.metrics.mean_cosine(torch.ones(2, 3)).tolist() == [0, 0]


def test_reconstruction_is_compared_with_predicting_the_mean(objective):
    truth = torch.tensor([0.0, 0.0, 1.0, 1.0]).reshape(1, 1, 4, 1, 1).repeat(4, 1, 1, 1, 1)
    found = figures_of(objective, restored=(truth - 0.1).abs(), truth=truth)
    assert torch.allclose(found["l1"], torch.full((4,), 0.1))
    assert torch.allclose(found["l1_of_mean"], torch.full((4,), 0.5))
    assert torch.allclose(found["psnr"], torch.full((4,), 20.0), atol=1e-4)


def test_figures_are_means_over_the_views_of_an_epoch(objective):
    loss, batches = objective.loss.SSLLoss(ALL), [example(3), example(1)]
    figures = objective.metrics.SSLMetrics(loss)
    for batch in batches:
        figures.update(batch)
    found, terms = figures.compute(), [loss.terms(*batch) for batch in batches]
    assert tuple(found) == NAMES
    for name in terms[0]:
        expected = (3 * terms[0][name] + terms[1][name]).item() / 4
        assert found[name] == pytest.approx(expected)
    assert found["loss"] == pytest.approx(sum(found[name] for name in terms[0]))
    chance = {"rotation_accuracy": 0.25, "l1": found["l1_of_mean"]}
    chance["contrastive_top1"] = (3 / 5 + 1 / 1) / 4  # six views, then two
    assert figures.chance == pytest.approx(chance)


def test_figures_are_named_by_what_they_measure(objective):
    pred, target = example(crops=2)
    pred["embedding"] = torch.eye(2).repeat(2, 1)
    pred["rotation"] = -torch.nn.functional.one_hot(target["rotation"], 4).float()
    pred["reconstruction"] = target["reconstruction"] + 0.01
    metrics = objective.metrics.SSLMetrics(objective.loss.SSLLoss(ALL))
    found = metrics({"pred": pred, "label": target})
    names = ("rotation_accuracy", "contrastive_top1", "mean_cosine", "l1", "psnr")
    assert [found[name].item() for name in names] == pytest.approx([0, 1, 0, 0.01, 40], abs=1e-3)


def test_figures_of_an_engine_are_plain_numbers_of_the_last_epoch(objective):
    pred, target = example()
    right = pred | {"rotation": torch.nn.functional.one_hot(target["rotation"], 4).float()}
    wrong = pred | {"rotation": -right["rotation"]}
    outputs = iter([wrong, wrong, right, wrong])
    engine = Engine(lambda engine, batch: {"pred": next(outputs), "label": target})
    objective.metrics.SSLMetrics(objective.loss.SSLLoss(ALL)).attach(engine, "figures")
    engine.run([0, 1], max_epochs=2)
    assert engine.state.metrics["rotation_accuracy"] == 0.5
    assert isinstance(engine.state.metrics["contrastive_loss"], float)
