"""The three losses against values computed by hand."""

from math import exp, log

import numpy as np
import pytest
import torch
from objective_examples import example

ALL = {"rotation": 1.0, "contrastive": 1.0, "reconstruction": 1.0}


@pytest.fixture
def loss_module(objective):
    return objective.loss


def contrastive(loss_module, embedding: torch.Tensor, temperature: float = 0.5) -> float:
    pred, target = example(len(embedding) // 2)
    loss = loss_module.SSLLoss(ALL, temperature)
    return loss.terms(pred | {"embedding": embedding}, target)["contrastive_loss"].item()


def normalised_temperature_cross_entropy(embedding: np.ndarray, temperature: float) -> float:
    """Equation 3 of the paper, one view after the other."""
    unit = [vector / np.linalg.norm(vector) for vector in embedding]
    views, terms = range(len(unit)), []
    for i in views:
        partner = (i + len(unit) // 2) % len(unit)
        others = sum(exp(unit[i] @ unit[k] / temperature) for k in views if k != i)
        terms.append(-log(exp(unit[i] @ unit[partner] / temperature) / others))
    return float(np.mean(terms))


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_contrastive_loss_equals_explicit_loops(loss_module, temperature):
    embedding = torch.randn(6, 5)
    expected = normalised_temperature_cross_entropy(embedding.double().numpy(), temperature)
    assert contrastive(loss_module, embedding, temperature) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("crops", [2, 4])
def test_contrastive_minimum_is_reached_by_equal_views_of_orthogonal_crops(loss_module, crops):
    embedding = torch.eye(crops).repeat(2, 1) * 3
    minimum = -log(exp(1 / 0.5) / (exp(1 / 0.5) + 2 * crops - 2))
    assert contrastive(loss_module, embedding) == pytest.approx(minimum, rel=1e-5)


@pytest.mark.parametrize("crops", [2, 4])
def test_contrastive_loss_of_equal_embeddings_is_chance(loss_module, crops):
    embedding = torch.ones(2 * crops, 8)
    assert contrastive(loss_module, embedding) == pytest.approx(log(2 * crops - 1), rel=1e-5)


def test_reconstruction_loss_is_the_mean_absolute_difference(loss_module):
    pred, target = example()
    pred["reconstruction"] = torch.tensor([0.0, 0.5, 1.0, 1.0])
    target["reconstruction"] = torch.tensor([1.0, 0.0, 1.0, 0.5])
    term = loss_module.SSLLoss(ALL).terms(pred, target)["reconstruction_loss"]
    assert term.item() == pytest.approx((1 + 0.5 + 0 + 0.5) / 4)


def test_rotation_loss_is_the_cross_entropy_of_four_classes(loss_module):
    pred, target = example(crops=1)
    pred["rotation"] = torch.tensor([[0.0, 0.0, 0.0, 0.0], [log(5.0), 0.0, 0.0, 0.0]])
    target["rotation"] = torch.tensor([2, 0])
    term = loss_module.SSLLoss(ALL).terms(pred, target)["rotation_loss"]
    assert term.item() == pytest.approx((log(4) + log(8 / 5)) / 2)


def test_loss_is_the_weighted_sum_of_its_terms(loss_module):
    pred, target = example()
    loss = loss_module.SSLLoss({"rotation": 2.0, "contrastive": 3.0, "reconstruction": 5.0})
    terms = loss.terms(pred, target)
    expected = 2 * terms["rotation_loss"] + 3 * terms["contrastive_loss"]
    expected += 5 * terms["reconstruction_loss"]
    assert loss(pred, target).item() == pytest.approx(expected.item())


@pytest.mark.parametrize(
    "task, output",
    [("rotation", "rotation"), ("contrastive", "embedding"), ("reconstruction", "reconstruction")],
)
def test_zero_weight_leaves_a_task_out(loss_module, task, output):
    pred, target = example()
    for value in pred.values():
        value.requires_grad_()
    loss_module.SSLLoss(ALL | {task: 0.0})(pred, target).backward()
    assert {name for name, value in pred.items() if not value.grad.any()} == {output}


def test_half_precision_predictions_are_judged_in_float32(loss_module):
    pred, target = example(dtype=torch.float16)
    target["reconstruction"] = target["reconstruction"].half()
    wide = {name: value.float() for name, value in pred.items()}
    loss = loss_module.SSLLoss(ALL)
    terms, expected = loss.terms(pred, target), loss.terms(wide, target)
    assert all(term.dtype == torch.float32 for term in terms.values())
    assert all(torch.equal(terms[name], expected[name]) for name in expected)


def test_autocast_leaves_the_terms_in_float32(loss_module):
    pred, target = example()
    loss = loss_module.SSLLoss(ALL)
    expected = loss.terms(pred, target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = loss.terms(pred, target)
    assert all(torch.equal(terms[name], expected[name]) for name in expected)
