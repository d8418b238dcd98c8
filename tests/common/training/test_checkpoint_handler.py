"""States, the deployed model, and runs that go on: with a toy trainer."""

import json
import random
import resource
import signal

import numpy as np
import pytest
import torch
from ignite.engine import Events
from toy_training import Toy, weight

from common import atomic_write
from common.training import checkpoint_state


@pytest.fixture
def toy(tmp_path):
    """`toy(figures, …)` is a fresh `Toy` in one and the same folder."""
    return lambda *arguments, **settings: Toy(tmp_path, *arguments, **settings)


@pytest.mark.parametrize("n_saved, kept", [(1, {22}), (2, {20, 22}), (3, {18, 20, 22})])
def test_only_the_last_states_are_kept(toy, n_saved, kept):
    trained = toy([0.5] * 11).train(n_saved=n_saved)
    assert trained.states() == {"best.pt"} | {f"iteration_{number}.pt" for number in kept}


@pytest.mark.parametrize("is_lower_better, best", [(False, 1), (True, 2)])
def test_best_follows_the_key_metric(toy, tmp_path, is_lower_better, best):
    trained = toy([0.5, 0.9, 0.1, 0.5], is_lower_better=is_lower_better).train()
    assert len(set(trained.weights)) == 4
    assert weight(tmp_path / "run/checkpoints/best.pt") == trained.weights[best]
    assert weight(tmp_path / "models/model.pt") == trained.weights[best]
    assert weight(tmp_path / "run/checkpoints/iteration_8.pt") == trained.weights[3]


def test_deployed_model_is_a_plain_state_dict_and_alone(toy, tmp_path):
    trained = toy([0.5]).train()
    content = torch.load(tmp_path / "models/model.pt", weights_only=True)
    assert content.keys() == trained.network.state_dict().keys()
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["model.pt"]


def test_states_are_kept_between_validations_too(toy, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        toy([0.1, 0.9], validate_every=3).train(killed_in=6, interval=3)
    assert {path.name for path in (tmp_path / "run/checkpoints").iterdir()} == {"iteration_3.pt"}


def test_run_without_validation_deploys_its_final_weights(toy, tmp_path):
    short = toy([])
    short.trainer.state.max_epochs = 2
    short.train()
    assert short.states() == {"best.pt", "iteration_4.pt"}
    assert weight(tmp_path / "models/model.pt") == short.weights[1]


def test_earlier_model_stays_until_something_better_than_nothing_exists(toy, tmp_path):
    atomic_write.save_atomically({"weight": torch.full((1, 1), 7.0)}, tmp_path / "models/model.pt")
    with pytest.raises(KeyboardInterrupt):
        toy([0.5]).train(killed_in=2)
    assert weight(tmp_path / "models/model.pt") == 7


def test_the_state_tells_the_configuration_it_was_made_with(toy, tmp_path):
    toy([0.5]).train()
    state = torch.load(tmp_path / "run/checkpoints/best.pt", weights_only=True)
    assert json.loads(state["config"]) == {"a": 1}


@pytest.mark.parametrize("killed_in", range(2, 11))
@pytest.mark.parametrize("interval", [1, 3])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(toy, tmp_path, killed_in, interval):
    figures = [0.5, 0.9, 0.1, 0.9, 0.5]
    settings = {"interval": interval, "log": {"interval": 2}}
    with pytest.raises(KeyboardInterrupt):
        toy(figures).train(killed_in=killed_in, **settings)
    rest = toy(figures)
    done = len({row[0] for row in rest.rows() if row[1].startswith("validation")})
    for _ in range(min(done, (killed_in - 1) // 2)):  # validations that were saved are not repeated
        next(rest.figures)
    rest.train(**settings)
    states = {path.name: path.read_bytes() for path in (tmp_path / "run/checkpoints").glob("*.pt")}
    rows, model = rest.rows(), (tmp_path / "models/model.pt").read_bytes()
    for path in (tmp_path / "run/checkpoints").iterdir():
        path.unlink()
    whole = toy(figures).train(**settings)
    assert rest.weights[-1] == whole.weights[-1]
    assert rows == whole.rows()
    assert model == (tmp_path / "models/model.pt").read_bytes()
    assert states.keys() == whole.states()


def test_random_states_are_restored(toy, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        toy([0.5, 0.5]).train(killed_in=3)
    expected = random.random(), np.random.rand(), torch.rand(1).item()
    random.seed(5), np.random.seed(5)
    rest = toy([0.5])
    rest.trainer.state.max_epochs = 1  # is finished: nothing more is drawn
    rest.train()
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected


def test_the_scale_of_the_loss_is_restored(toy):
    scales = []
    for scale in (128.0, 4.0):
        trained = toy([0.5])
        trained.trainer.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        parts = trained.trainer, trained.evaluator, trained.network, {}
        if not scales:
            state = checkpoint_state.training_state(*parts)
        checkpoint_state.restore(state, *parts)
        scales.append(trained.trainer.scaler.get_scale())
    assert scales == [128.0, 128.0]


def test_a_finished_run_says_so_and_changes_nothing(toy, tmp_path, caplog):
    caplog.set_level("INFO")
    toy([0.5]).train()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.pt")}
    again = toy([0.5]).train()
    assert "is finished; --resume never trains anew" in caplog.text
    assert again.weights == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.pt")} == before


def test_a_state_cut_short_is_named_and_the_one_before_it_serves(toy, refusal, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        toy([0.5, 0.5]).train(killed_in=4, interval=1)
    last = tmp_path / "run/checkpoints/iteration_3.pt"
    last.write_bytes(last.read_bytes()[:200])
    with refusal("iteration_3.pt cannot be read.*goes on from .*iteration_2.pt"):
        toy([0.5, 0.5]).train()
    last.unlink()
    assert toy([0.5, 0.5]).train(interval=1).trainer.state.iteration == 4


def test_a_disk_that_fills_up_leaves_the_state_before_it(toy, refusal):
    limits, full = resource.getrlimit(resource.RLIMIT_FSIZE), toy([0.5, 0.5])
    full.trainer.add_event_handler(
        Events.ITERATION_STARTED(once=3),
        lambda _: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1])),
    )
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing fails instead of killing
    try:
        with refusal(
            "iteration_3.pt cannot be written .*File too large.*goes on from .*iteration_2.pt"
        ):
            full.train(interval=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert full.states() == {"best.pt", "iteration_1.pt", "iteration_2.pt"}
    assert toy([0.5, 0.5]).train(interval=1).trainer.state.iteration == 4


def test_what_a_killed_run_left_half_written_is_removed(toy, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        toy([0.5, 0.5]).train(killed_in=3)
    (tmp_path / "run/checkpoints/.1234_iteration_4.pt").write_text("half")
    assert toy([0.5, 0.5]).train().states() == {"best.pt", "iteration_2.pt", "iteration_4.pt"}
