"""The figure of a validation that chooses the best weights: the loss, or one of its terms."""

import pytest
import torch
from helpers import BUNDLES, config_files
from monai.bundle import ConfigParser
from monai.engines import Evaluator

OVERLAYS = sorted(path.stem for path in BUNDLES.glob("pretrain_ssl/configs/objectives/*.json"))
OWN = [name for name in OVERLAYS if not name.startswith(("heads", "masked_"))]
CHOSEN = {"distilled": "masked_loss"}  # of the others the loss


def key_metric(name: str | None, **changes) -> dict:
    """The metrics of a small validation, first the one that chooses."""
    overlays = [f"objectives/{name}"] if name else []
    files = config_files("pretrain_ssl", "train", *overlays, "demo")
    parser = ConfigParser(ConfigParser.load_config_files(files))
    parser.update(({"prototypes": 16} if name == "distilled" else {}) | changes)
    try:
        return parser.get_parsed_content("validate::key_metric")
    except RuntimeError as error:  # the parser's, about the one below
        raise error.__cause__ from None


@pytest.mark.parametrize("name", [None, *OWN])
def test_each_objective_chooses_by_its_loss_or_by_the_term_that_can_be_compared(scripts, name):
    assert list(key_metric(name)) == [CHOSEN.get(name, "loss"), "metrics"]


def test_the_term_chooses_beside_the_position_too(scripts):
    assert list(key_metric("distilled", position_weight=1.0)) == ["masked_loss", "metrics"]
    alone = key_metric("masked", position_weight=1.0, key_metric="position_loss")
    assert list(alone) == ["position_loss", "metrics"]


@pytest.mark.parametrize("name", ["masked_r2", "token_loss"])
def test_what_is_no_term_of_the_loss_is_refused(scripts, refusal, name):
    with refusal(f"key_metric {name} is no loss of the objective; .*are loss, masked_loss"):
        key_metric("masked", key_metric=name)


@pytest.mark.parametrize("name, best", [("masked_loss", 1), ("loss", 2)])
def test_the_best_epoch_is_that_of_the_lowest_key_metric(base, name, best):
    class TwoTerms(base.ObjectiveLoss):
        names = ("masked", "token")

        def terms(self, pred, target):
            return {"masked_loss": pred[0], "token_loss": pred[1]}

    class Metrics(base.ObjectiveMetrics):
        def of_crops(self, pred, target):
            return {"error": target}

    values = iter([[0.1, 6.0], [0.2, 1.0]])  # the second has the lower sum
    evaluator = Evaluator(
        device="cpu",
        val_data_loader=[0],
        iteration_update=lambda engine, batch: {
            "pred": torch.tensor(next(values)),
            "label": torch.zeros(2),
        },
        key_val_metric=Metrics(TwoTerms({"masked": 1.0, "token": 0.1})).by_key(name),
        metric_cmp_fn=lambda current, best: current < best,
        decollate=False,
    )
    for epoch in (1, 2):
        evaluator.run(epoch)
        assert set(evaluator.state.metrics) >= {"loss", "masked_loss", "token_loss", "error"}
    assert evaluator.state.best_metric_epoch == best
