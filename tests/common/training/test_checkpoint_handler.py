"""States, the deployed model, and runs that go on: with a toy trainer."""

import json
import logging
import random
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Events
from toy_training import Toy, weight
from two_processes import in_two_processes

from common import atomic_write
from common.training import checkpoint_files, checkpoint_handler, checkpoint_state, non_finite


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


def test_run_without_validation_deploys_its_final_weights_and_says_so(toy, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    short = toy([])
    short.trainer.state.max_epochs = 2
    short.train()
    assert (
        "no validation has given a metric: the final weights are saved as the best" in caplog.text
    )
    assert short.states() == {"best.pt", "iteration_4.pt"}
    assert weight(tmp_path / "models/model.pt") == short.weights[1]


def test_last_epochs_without_a_validation_are_named(toy, tmp_path, caplog):
    longer = toy([0.5, 0.9], validate_every=2)
    longer.trainer.state.max_epochs = 5
    longer.train()
    assert "no validation came after the last 1 of 5 epochs" in caplog.text
    assert weight(tmp_path / "models/model.pt") == longer.weights[3]


def test_a_validation_of_the_last_epoch_needs_no_line(toy, caplog):
    toy([0.5, 0.9], validate_every=2).train()
    assert "no validation came after" not in caplog.text


def test_earlier_model_stays_until_something_better_than_nothing_exists(toy, tmp_path):
    atomic_write.save_atomically({"weight": torch.full((1, 1), 7.0)}, tmp_path / "models/model.pt")
    with pytest.raises(KeyboardInterrupt):
        toy([0.5]).train(killed_in=2)
    assert weight(tmp_path / "models/model.pt") == 7


def test_a_model_of_another_run_is_named_before_it_is_replaced(toy, tmp_path, caplog):
    caplog.set_level(logging.WARNING)  # a workflow of an earlier test may have set another
    model = tmp_path / "models/model.pt"
    sentence = f"{model} holds weights of another run, which the best of this run replace; "
    with pytest.raises(KeyboardInterrupt):
        toy([0.5, 0.9]).train(killed_in=3)
    assert "another run" not in caplog.text and model.is_file()
    toy([0.9]).train()
    assert "another run" not in caplog.text  # it is this run's own
    (tmp_path / "run").rename(tmp_path / "earlier")
    toy([0.5]).train()
    assert caplog.messages[-1] == sentence + "give another --model_path to keep them"


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


@pytest.mark.parametrize("iteration", [3, 4], ids=["of an epoch's start", "within an epoch"])
def test_random_states_of_an_iteration_are_those_of_an_uninterrupted_run(toy, tmp_path, iteration):
    draws = []

    def draw(engine) -> None:
        draws.append((random.random(), np.random.rand(), torch.rand(1).item()))

    def drawing() -> Toy:
        drawn = toy([0.5, 0.5])
        drawn.trainer.add_event_handler(Events.ITERATION_STARTED(once=iteration), draw)
        return drawn

    with pytest.raises(KeyboardInterrupt):
        toy([0.5, 0.5]).train(killed_in=iteration, interval=1)
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    drawing().train(interval=1)
    (tmp_path / "run").rename(tmp_path / "resumed")
    random.seed(0), np.random.seed(0)  # as at the test's start
    drawing().train(interval=1)
    assert draws[0] == draws[1]


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # within a group
@pytest.mark.parametrize("killed_in", [3, 5, 6, 7, 9, 11, 12])
@pytest.mark.parametrize("interval, saved", [(1, [4, 6, 10, 12]), (5, [6, 10, 12])])
def test_accumulated_gradients_are_never_lost(toy, tmp_path, killed_in, interval, saved):
    """A group of 4 and the 2 left of an epoch make a step each: no state lies within them."""
    figures, settings = [0.5, 0.9], {"interval": interval, "n_saved": 9}
    accumulating = lambda: toy(figures, epoch_length=6, accumulation_steps=4)  # noqa: E731
    with pytest.raises(KeyboardInterrupt):
        accumulating().train(killed_in=killed_in, **settings)
    killed = accumulating()
    for _ in range((killed_in - 1) // 6):
        next(killed.figures)
    killed.train(**settings)
    assert killed.states() == {"best.pt", *(f"iteration_{number}.pt" for number in saved)}
    (tmp_path / "run").rename(tmp_path / "killed")
    whole = accumulating().train(**settings)
    assert killed.weights[-1] == whole.weights[-1]
    assert killed.states() == whole.states()


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_a_run_that_is_told_to_stop_ends_after_the_next_step(toy, monkeypatch):
    monkeypatch.setattr(checkpoint_handler.Processes, "are_told_to_stop", lambda _: True)
    stopped = toy([0.5], epoch_length=6, accumulation_steps=4)
    with pytest.raises(SystemExit):
        stopped.train()
    assert stopped.states() == {"iteration_4.pt"}


def test_the_scale_of_the_loss_is_restored(toy):
    scales = []
    for scale in (128.0, 4.0):
        trained = toy([0.5])
        trained.trainer.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        parts = trained.trainer, trained.evaluator, trained.network, {}
        if not scales:
            ranks = [checkpoint_state.rank_state(trained.trainer)]
            state = checkpoint_state.training_state(*parts, ranks)
        checkpoint_state.restore(state, *parts)
        scales.append(trained.trainer.scaler.get_scale())
    assert scales == [128.0, 128.0]


@pytest.mark.parametrize(("before", "now"), [("bfloat16", "float16"), ("float16", "bfloat16")])
def test_a_run_goes_on_in_another_precision_and_says_so(toy, caplog, before, now):
    """As on another GPU: bfloat16 has no loss scale, and float16 begins with its own."""
    state = None
    for name in (before, before, now):
        trained = toy([0.5])
        trainer = trained.trainer
        trainer.amp, trainer.amp_kwargs = True, {"dtype": getattr(torch, name)}
        trainer.scaler = torch.amp.GradScaler("cpu", 8.0, enabled=name == "float16")
        parts = trainer, trained.evaluator, trained.network, {}
        if state is not None:
            assert not caplog.messages
            checkpoint_state.restore(state, *parts)
        ranks = [checkpoint_state.rank_state(trainer)]
        state = checkpoint_state.training_state(*parts, ranks)
    assert trainer.scaler.get_scale() == (8.0 if now == "float16" else 1.0)
    assert caplog.messages == [
        f"the run was trained in {before} and goes on in {now}, so that it will not end as an "
        "uninterrupted one to the last bit"
    ]


def rows_of_ranks(rank: int, folder: Path) -> tuple[list, list]:
    """Curves of a run that was killed within an interval, and of an uninterrupted one.

    No weight changes, as each process has a network of its own here.
    """

    def still(part: str) -> Toy:
        (folder / part).mkdir(exist_ok=True)
        found = Toy(folder / part, [0.5, 0.5])
        found.scheduler.base_lrs = [0.0]
        return found

    with pytest.raises(KeyboardInterrupt):
        still("killed").train(killed_in=2, interval=1)
    return still("killed").train(interval=1).rows(), still("whole").train(interval=1).rows()


def test_each_rank_goes_on_with_its_own_sums_of_metrics(tmp_path):
    (killed, whole), _ = in_two_processes(tmp_path, rows_of_ranks, tmp_path)
    assert killed == whole and len(killed) == 7


def test_a_checkpoint_of_an_earlier_version_has_the_sums_of_the_first_rank_alone(toy, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        toy([0.5, 0.5]).train(killed_in=2, interval=1)
    path = tmp_path / "run/checkpoints/iteration_1.pt"
    state = torch.load(path, weights_only=True)
    (state["engine"],) = state["engine"]
    del state["precision"]
    torch.save(state, path)
    rows = toy([0.5, 0.5]).train(interval=1).rows()
    (tmp_path / "run").rename(tmp_path / "older")
    assert rows == toy([0.5, 0.5]).train(interval=1).rows()


def test_a_finished_run_says_so_and_changes_nothing(toy, tmp_path, caplog):
    caplog.set_level("INFO")
    toy([0.5]).train()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.pt")}
    again = toy([0.5]).train()
    assert "is finished; --resume never trains anew" in caplog.text
    assert again.weights == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.pt")} == before


def test_a_second_run_of_the_same_trainer_keeps_the_weights_that_it_is_given(toy, caplog):
    """As federated learning does: a round is a `run`, from weights that the server has sent."""
    caplog.set_level("INFO")
    trained = toy([0.5, 0.9]).train()
    trained.figures = iter([0.1])
    begun_with = []
    trained.trainer.add_event_handler(
        Events.EPOCH_STARTED, lambda _: begun_with.append(trained.network.weight.item())
    )
    torch.nn.init.constant_(trained.network.weight, 7.0)
    trained.trainer.state.max_epochs += 1
    trained.trainer.run()
    assert begun_with == [7.0] and "goes on from" not in caplog.text
    assert trained.states() == {"best.pt", "iteration_4.pt", "iteration_6.pt"}
    assert caplog.text.count("best so far") == 2  # of the two first epochs, each once
    values = [row for row in trained.rows() if row[1] == "validation/figure"]
    assert [row[0] for row in values] == ["2", "4", "6"]


@pytest.mark.parametrize("damage", ["cut", "empty", "NaN", "other"])
def test_the_checkpoint_before_a_damaged_one_serves(toy, tmp_path, caplog, damage):
    with pytest.raises(KeyboardInterrupt):
        toy([0.5, 0.5]).train(killed_in=4, interval=1)
    last = tmp_path / "run/checkpoints/iteration_3.pt"
    state, content = torch.load(last, weights_only=True), last.read_bytes()
    if damage in ("cut", "empty"):
        last.write_bytes(content[: 200 if damage == "cut" else 0])
    else:
        state["network"]["weight"][0] = float("nan")
        torch.save(state if damage == "NaN" else {"weight": torch.ones(1)}, last)
    assert toy([0.5, 0.5]).train(interval=1).trainer.state.iteration == 4
    (line,) = [one.message for one in caplog.records if "serves instead" in one.message]
    assert "iteration_3.pt" in line and "iteration_2.pt serves instead" in line
    states = toy([]).states()
    assert states == {"best.pt", "iteration_3.pt", "iteration_3.pt.damaged", "iteration_4.pt"}


def test_the_only_checkpoint_when_damaged_is_named(toy, refusal, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        toy([0.5, 0.5]).train(killed_in=3)
    (tmp_path / "run/checkpoints/iteration_2.pt").write_bytes(b"PK")
    with refusal("iteration_2.pt cannot be read, it may have been cut short; delete it"):
        toy([0.5, 0.5]).train()


def test_files_of_the_user_beside_the_checkpoints_stay_and_are_not_read(toy, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        toy([0.5] * 4).train(killed_in=3)
    folder = tmp_path / "run/checkpoints"
    kept = [
        "iteration_2_keep.pt",
        "iteration_9 (copy).pt",
        ".hidden",
        "iteration_x.pt",
        ".1_2_a.pt",
    ]
    for name in kept:
        (folder / name).write_text("mine")
    for name in (".ipynb_checkpoints", "iteration_7.pt"):
        (folder / name).mkdir()
    states = toy([0.5] * 3).train().states()
    assert states >= {*kept, ".ipynb_checkpoints", "iteration_7.pt"}
    assert "iteration_2.pt" not in states
    assert all((folder / name).read_text() == "mine" for name in kept)


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


def test_what_a_killed_run_left_half_written_is_removed(toy, tmp_path, caplog):
    with pytest.raises(KeyboardInterrupt):
        toy([0.5, 0.5]).train(killed_in=3)
    (tmp_path / "run/checkpoints/.half_written_elsewhere_12_iteration_4.pt").write_text("half")
    assert toy([0.5, 0.5]).train().states() == {"best.pt", "iteration_2.pt", "iteration_4.pt"}
    assert "iteration_4.pt, half written by a process that was killed" in caplog.text


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_and_the_last_good_state_stays(toy, refusal, loss):
    failing = toy([0.5, 0.5])
    plain = failing.trainer.loss_function
    factor = {4: loss}
    failing.trainer.loss_function = lambda a, b: (
        plain(a, b) * factor.get(failing.trainer.state.iteration, 1)
    )
    with refusal("the loss is NaN or infinite in iteration 4.*iteration_3.pt is the last good"):
        failing.train(interval=1)
    assert failing.states() == {"best.pt", "iteration_2.pt", "iteration_3.pt"}
    assert toy([0.5, 0.5]).train(interval=1).trainer.state.iteration == 4


def test_weights_that_are_not_finite_are_not_saved(toy, refusal):
    failing = toy([0.5, 0.5])

    def spoil(engine):
        failing.network.weight.data.fill_(float("nan"))

    failing.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=3), spoil)
    with refusal("the weights weight are NaN or infinite in iteration 3.*iteration_2.pt is"):
        failing.train(interval=1)
    assert failing.states() == {"best.pt", "iteration_1.pt", "iteration_2.pt"}


def test_a_loss_scale_lets_a_few_losses_overflow(toy):
    for tries, message in ((20, None), (21, "the loss is NaN or infinite")):
        check = non_finite.LossCheck()
        engine = toy([0.5]).trainer
        engine.scaler = torch.amp.GradScaler("cpu")
        engine.state.output = {"loss": torch.tensor(float("inf"))}
        assert [check.has_failed(engine) for _ in range(tries)][-1] == bool(message)


def test_losses_that_overflow_now_and_then_do_not_add_up(toy):
    check, engine = non_finite.LossCheck(), toy([0.5]).trainer
    engine.scaler = torch.amp.GradScaler("cpu")
    for number in range(100):
        engine.state.output = {"loss": torch.tensor([float("inf"), 1.0][number % 2])}
        assert not check.has_failed(engine)


@pytest.mark.parametrize("is_lower_better", [False, True])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_metric_that_is_not_finite_is_never_the_best(toy, tmp_path, is_lower_better, bad):
    trained = toy([bad, 0.5, bad, 0.4], is_lower_better=is_lower_better).train()
    best = 3 if is_lower_better else 1
    assert trained.evaluator.state.best_metric_epoch == best + 1
    assert weight(tmp_path / "models/model.pt") == trained.weights[best]


def test_a_run_whose_metric_was_never_finite_deploys_its_final_weights(toy, tmp_path):
    trained = toy([float("nan")] * 2).train()
    assert weight(tmp_path / "models/model.pt") == trained.weights[1]


def test_a_best_metric_of_nan_in_an_older_checkpoint_is_forgotten(toy, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        toy([0.5, 0.4]).train(killed_in=3)
    path = tmp_path / "run/checkpoints/iteration_2.pt"
    state = torch.load(path, weights_only=True)
    state["validation"]["best_metric"] = float("nan")
    torch.save(state, path)
    rest = toy([0.4, 0.5])
    rest.train()
    assert rest.evaluator.state.best_metric_epoch == 2


@pytest.mark.parametrize("write", range(1, 7))
def test_a_run_killed_between_its_files_ends_as_an_uninterrupted_one(
    toy, tmp_path, monkeypatch, write
):
    """Each of two epochs writes the checkpoint, the deployed model and best.pt."""
    whole = toy([0.5, 0.9]).train()
    model = weight(tmp_path / "models/model.pt")
    for path in (tmp_path / "run/checkpoints").iterdir():
        path.unlink()
    (tmp_path / "models/model.pt").unlink()
    plain, written = atomic_write.save_atomically, []

    def save(content, path, *others):
        written.append(path.name)
        if len(written) == write:
            raise KeyboardInterrupt
        plain(content, path, *others)

    monkeypatch.setattr(checkpoint_files, "save_atomically", save)
    with pytest.raises(KeyboardInterrupt):
        toy([0.5, 0.9]).train()
    order = ["iteration_2.pt", "model.pt", "best.pt", "iteration_4.pt", "model.pt", "best.pt"]
    assert written == order[:write]
    rest = toy([0.5, 0.9])
    for _ in range(0 if write == 1 else 1):
        next(rest.figures)
    rest.train()
    assert weight(tmp_path / "models/model.pt") == model == whole.weights[1]
    assert weight(tmp_path / "run/checkpoints/best.pt") == model
    assert rest.states() == {"best.pt", "iteration_2.pt", "iteration_4.pt"}


@pytest.mark.parametrize("target", ["run/checkpoints", "models", "models/model.pt"])
def test_what_cannot_be_written_is_refused_before_the_first_batch(toy, refusal, tmp_path, target):
    trained = toy([0.5])
    if target.endswith(".pt"):
        (tmp_path / target).mkdir(parents=True)
    else:
        (tmp_path / target).parent.mkdir(exist_ok=True)
        (tmp_path / target).write_text("a file, not a folder")
    with refusal(f"{target}.* cannot be written"):
        trained.train()
    assert trained.trainer.state.iteration == 0


def replaced(trained: Toy, folder, sizes: list[int], name="image_{}") -> Toy:
    """The toy with files of these sizes as its images' sources."""
    folder.mkdir(exist_ok=True)
    for item, (n, size) in zip(trained.trainer.data_loader.dataset.data, enumerate(sizes)):
        (folder / name.format(n)).write_bytes(b"0" * size)
        item["source"] = str(folder / name.format(n))
    return trained


def test_a_moved_data_set_goes_on_and_replaced_images_are_refused(toy, refusal, tmp_path, caplog):
    with pytest.raises(KeyboardInterrupt):
        replaced(toy([0.5] * 4), tmp_path / "a", [1, 2, 3, 4]).train(killed_in=4, interval=1)
    for settings in ({"sizes": [1, 2, 3, 5]}, {"sizes": [1, 2, 3, 4], "name": "other_{}"}):
        with refusal("the training images are others.*iteration_3.pt was trained on; give back"):
            replaced(toy([0.5] * 4), tmp_path / "a", **settings).train()
    rest = replaced(toy([0.5] * 3), tmp_path / "b", [1, 2, 3, 4]).train()
    assert rest.trainer.state.iteration == 6


def test_a_checkpoint_without_a_digest_goes_on_with_a_line(toy, tmp_path, caplog):
    with pytest.raises(KeyboardInterrupt):
        toy([0.5] * 2).train(killed_in=3)
    path = tmp_path / "run/checkpoints/iteration_2.pt"
    state = torch.load(path, weights_only=True)
    del state["data"]
    torch.save(state, path)
    assert toy([0.5] * 2).train().trainer.state.iteration == 4
    assert "does not tell which images it was trained on" in caplog.text
