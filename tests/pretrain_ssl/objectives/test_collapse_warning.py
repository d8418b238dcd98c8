"""An objective that has collapsed is told in words."""

import pytest
from ignite.engine import Engine


@pytest.mark.parametrize("cosine, warns", [(0.99, True), (0.5, False)])
def test_a_collapse_is_told_in_words(base, caplog, cosine, warns):
    engine = Engine(lambda engine, batch: None)
    base.CollapseWarning().attach(engine)
    engine.state.metrics = {"mean_cosine": cosine, "contrastive_top1": 0.1}
    engine.run([0])
    assert ("collapsed: different volumes have a mean cosine" in caplog.text) == warns


def test_an_objective_without_contrast_is_not_warned_of(base, caplog):
    engine = Engine(lambda engine, batch: None)
    base.CollapseWarning().attach(engine)
    engine.run([0])
    assert caplog.text == ""


@pytest.mark.parametrize("entropy, warns", [(0.1, True), (0.7, False)])
def test_a_teacher_of_fewer_than_two_prototypes_has_collapsed(base, caplog, entropy, warns):
    engine = Engine(lambda engine, batch: None)
    base.CollapseWarning().attach(engine)
    engine.state.metrics = {"teacher_entropy": entropy}
    engine.run([0])
    assert ("the teacher has collapsed: the entropy" in caplog.text) == warns
