"""An objective that has collapsed is told in words."""

import pytest
import torch
from ignite.engine import Engine


def batch_of(*images: int) -> dict[str, torch.Tensor]:
    """A batch of crops of these images, in epoch 0."""
    return {"draw": torch.tensor([[0, image, 0] for image in images])}


class Loader(list):
    """Batches, and the data set that they come from."""

    def __init__(self, batches: list[dict], images: int) -> None:
        super().__init__(batches)
        self.dataset = range(images)


TWO = batch_of(0, 1)


@pytest.mark.parametrize("cosine, warns", [(0.99, True), (0.5, False)])
def test_a_collapse_is_told_in_words(base, caplog, cosine, warns):
    engine = Engine(lambda engine, batch: None)
    base.CollapseWarning().attach(engine)
    engine.state.metrics = {"mean_cosine": cosine, "contrastive_top1": 0.1}
    engine.run([TWO])
    assert ("collapsed: different volumes have a mean cosine" in caplog.text) == warns


def test_an_objective_without_contrast_is_not_warned_of(base, caplog):
    engine = Engine(lambda engine, batch: None)
    base.CollapseWarning().attach(engine)
    engine.run([TWO])
    assert caplog.text == ""


@pytest.mark.parametrize("entropy, warns", [(0.1, True), (0.7, False)])
def test_a_teacher_of_fewer_than_two_prototypes_has_collapsed(base, caplog, entropy, warns):
    engine = Engine(lambda engine, batch: None)
    base.CollapseWarning().attach(engine)
    engine.state.metrics = {"teacher_entropy": entropy}
    engine.run([TWO])
    assert ("the teacher has collapsed: the entropy" in caplog.text) == warns


@pytest.mark.parametrize("evenness, warns", [(0.99, True), (0.961, False), (0.8, False)])
def test_a_teacher_of_even_probabilities_has_collapsed(base, caplog, evenness, warns):
    engine = Engine(lambda engine, batch: None)
    base.CollapseWarning().attach(engine)
    engine.state.metrics = {"token_evenness": evenness, "teacher_entropy": 6.2}
    engine.run([TWO])
    words = "collapsed: it gives every token nearly even probabilities, whose entropy is 0.990 of"
    assert (words in caplog.text) == warns and len(caplog.messages) == warns


SINGLE = (
    "2 of 2 validation batches hold a single volume, where {} and its loss have nothing to compare "
    "and are perfect: neither the choice of the best weights nor a warning of collapse rests on "
    "them there; hold out more volumes by --validation_fraction or the datalist"
)


@pytest.mark.parametrize("metric", ["contrastive_top1", "global_top1"])
def test_a_batch_of_a_single_volume_is_told_once(base, caplog, metric):
    engine = Engine(lambda engine, batch: None)
    base.CollapseWarning().attach(engine)
    engine.state.metrics = {metric: 1.0, "mean_cosine": 0.0}
    for _ in range(2):
        engine.run(Loader([batch_of(0, 0)] * 2, images=1))
    assert caplog.messages == [SINGLE.format(metric)]


def test_a_last_batch_of_a_single_volume_is_mended_by_another_batch_size(base, caplog):
    engine = Engine(lambda engine, batch: None)
    base.CollapseWarning().attach(engine)
    engine.state.metrics = {"contrastive_top1": 0.5}
    engine.run(Loader([batch_of(0, 1), batch_of(2)], images=3))
    (message,) = caplog.messages
    assert message.startswith("1 of 2 validation batches hold a single volume")
    assert message.endswith("or the datalist, or give another --val_batch_size")


def test_an_objective_that_compares_no_volumes_takes_a_single_one(base, caplog):
    engine = Engine(lambda engine, batch: None)
    base.CollapseWarning().attach(engine)
    engine.state.metrics = {"masked_r2": 0.5}
    engine.run([batch_of(0, 0)])
    assert not caplog.messages
