"""Weights of a loss: of terms that it has, one of them above 0."""

import importlib

import pytest
import torch
from helpers import BUNDLES, config_files
from monai.bundle import ConfigParser

OVERLAYS = sorted(path.stem for path in BUNDLES.glob("pretrain_ssl/configs/objectives/*.json"))
OWN_LOSS = [
    name for name in OVERLAYS if not name.startswith(("heads", "masked_")) and name != "position"
]


def parts_of(name: str | None, **changes):
    """The parts of a small training's objective."""
    overlays = [f"objectives/{name}"] if name else []
    files = config_files("pretrain_ssl", "train", *overlays, "demo")
    parser = ConfigParser(ConfigParser.load_config_files(files))
    small = {"prototypes": 16} if name == "distilled" else {}
    parser.update(small | changes)
    return parser.get_parsed_content("objective_parts")


@pytest.fixture
def sentence_of(scripts):
    return importlib.import_module("scripts.common.errors").sentence_of


@pytest.mark.parametrize("name", [None, *OWN_LOSS])
def test_a_weight_of_no_term_is_refused_before_any_work(sentence_of, name):
    key = "loss::weights" if name else "loss_weights"
    with pytest.raises(RuntimeError) as error:  # the parser's, about the sentence
        parts_of(name, **{key: {"inpainting": 1}})
    assert sentence_of(error.value).startswith(
        "the weights of the loss have inpainting, and the loss has no such term; "
    )


def test_the_sentence_lists_the_terms(sentence_of):
    with pytest.raises(RuntimeError) as error:
        parts_of(None, loss_weights={"rotation": 1, "reconstructoin": 1})
    assert sentence_of(error.value).endswith(
        "such term; did you mean reconstruction? There are rotation, contrastive, reconstruction."
    )


@pytest.mark.parametrize("weights", [{}, {"rotation": 0}, {"rotation": 0, "contrastive": 0.0}])
def test_a_loss_without_a_weight_above_0_is_refused(sentence_of, weights):
    with pytest.raises(RuntimeError) as error:
        parts_of(None, loss_weights=weights)
    assert sentence_of(error.value).startswith(
        "the loss of the objective rotation_contrast_inpainting has no weight above 0, so that "
    )


def test_the_position_may_be_the_only_weight_above_0(scripts):
    parts = parts_of("masked", position_weight=1.0, **{"loss::weights": {"masked": 0.0}})
    assert parts.loss.weights == {"masked": 0.0, "position": 1.0}


def test_a_loss_that_names_no_terms_is_checked_in_its_first_step(base, refusal):
    class MeanLoss(base.ObjectiveLoss):
        def terms(self, pred, target):
            return {"mean_loss": (pred - target).abs().mean()}

    batch = torch.zeros(2), torch.ones(2)
    assert MeanLoss({"mean": 2.0})(*batch) == 2
    with refusal("have maen, and the loss has no such term; did you mean mean"):
        MeanLoss({"maen": 1.0})(*batch)


@pytest.mark.parametrize("name", [None, *OWN_LOSS])
def test_the_names_of_a_class_are_the_weights_of_its_config(scripts, name):
    loss = parts_of(name).loss
    assert type(loss).names == tuple(loss.weights)
