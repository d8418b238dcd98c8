"""Saves checkpoints of a training and resumes exactly from the last one."""

import json
import logging
import signal
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events

from ..atomic_write import check_writable
from ..leftovers import remove_leftovers
from ..network.patch_merging import merging_of
from ..runtime.distributed import Processes, is_main_process
from ..weights.preprocessing_note import add_to_note
from .checkpoint_files import (
    checkpoint_path,
    deploy,
    is_deployed,
    list_checkpoints,
    read_last,
    remove_old,
    write_checkpoint,
)
from .checkpoint_state import (
    check_data,
    digests,
    further_parts,
    labelled_images,
    rank_state,
    restore,
    training_state,
)
from .gradient_clipping import takes_step
from .non_finite import FiniteBest, LossCheck, check_finite_weights, failure, forget_non_finite
from .random_state import restore_at_first_batch
from .run_folder import kept_config, note_merging

logger = logging.getLogger(__name__)

STOPPED = 128 + signal.SIGTERM  # exit status of a process that was told to stop


class CheckpointHandler:
    """Saves checkpoints during a training, and resumes from the last one.

    Before the first batch the handler checks that all files can be written. A training whose loss
    or weights are no longer finite stops with an `InputError`, and the last good checkpoint stays.

    A checkpoint is saved every `interval` iterations, after every validation, at the end, and when
    SIGTERM asks the run to stop (the run then exits with status 143). It holds no gradients: where
    those of several iterations make one step, it is saved after that step. After the best
    validation so far, by the evaluator's key metric, the checkpoint is also saved as `best.pt`, and
    its network becomes the deployed model. A run too short for any validation deploys its final
    weights. Where the last epochs had no validation, a line says so.

    Attach it after `GradientClipping`, whose loss scale it restores, and before all other handlers,
    so that they see the iteration at which the run resumes. The handler saves after all others.
    Attach it in every process; the main process writes. Only the first `run` of an engine resumes:
    a second one in the same process goes on with the weights that the network has then.

    Args:
        run_folder: states go to `checkpoints/iteration_<n>.pt` and `checkpoints/best.pt` in it.
        model_path: the one deployed weights file: the plain state dict of `network`.
        evaluator: the validation's engine.
        lr_scheduler: its state is kept beside those of the trainer's network and optimizer.
        interval: iterations between states.
        n_saved: how many last states are kept.
    """

    def __init__(
        self,
        run_folder: str,
        model_path: str,
        evaluator: Engine,
        lr_scheduler: Any,
        interval: int = 500,
        n_saved: int = 2,
    ) -> None:
        self.run_folder, self.model_path = Path(run_folder), Path(model_path)
        self.folder = self.run_folder / "checkpoints"
        self.evaluator, self.lr_scheduler = evaluator, lr_scheduler
        self.interval, self.is_main, self.n_saved = interval, is_main_process(), n_saved
        self.processes, self.was_finished = None, False
        self.saved_at = 0  # iteration of the last state
        self.is_due = False  # the interval has ended since the last state
        self.loss_check, self.data, self.images = LossCheck(), {}, []

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.started)
        FiniteBest().attach(self.evaluator)

    def started(self, engine: Engine) -> None:
        if self.processes is not None:  # a second `run`: the caller may have set other weights
            return
        self.processes = Processes()
        self.network = getattr(engine.network, "module", engine.network)  # not its DDP wrapper
        parts = {"optimizer": engine.optimizer, "lr_scheduler": self.lr_scheduler}
        self.others = parts | further_parts(engine)
        if self.is_main:
            remove_leftovers(self.run_folder, is_locked=True)
            check_writable(files=[self.model_path], folders=[self.folder])
            self.data = digests(engine, self.evaluator)
            self.images = labelled_images(engine)
        last = read_last(self.folder, self.processes)
        if last:
            self.load(engine, *last)
        if self.is_main and self.model_path.is_file() and not (self.folder / "best.pt").is_file():
            logger.warning(
                f"{self.model_path} holds weights of another run, which the best of this run "
                "replace; give another --model_path to keep them"
            )
        merging = merging_of(self.network)
        if self.is_main and merging:
            note_merging(self.run_folder, merging)
            logger.info(f"this run trains with patch merging {merging}")
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.iteration_completed)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.epoch_completed)
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def iteration_completed(self, engine: Engine) -> None:
        has_failed = self.loss_check.has_failed(engine)
        iteration, is_stopping = engine.state.iteration, self.processes.are_told_to_stop()
        if self.processes.any(has_failed):
            raise failure(engine, "the loss is NaN or infinite", self.last())
        self.is_due |= iteration % self.interval == 0
        if iteration % engine.state.epoch_length == 0 or not takes_step(engine):
            return  # the epoch's validation or further gradients still belong to this state
        if is_stopping or self.is_due:
            self.save(engine)
        if is_stopping:
            self.exit(engine)

    def epoch_completed(self, engine: Engine) -> None:
        is_stopping, state = self.processes.are_told_to_stop(), engine.state
        is_validated = self.evaluator.state.epoch == state.epoch
        if is_validated and self.evaluator.state.best_metric_epoch == state.epoch:
            self.save(engine, is_best=True)
        elif is_validated or is_stopping or self.is_due:
            self.save(engine)
        if is_stopping and state.epoch < state.max_epochs:
            self.exit(engine)

    def completed(self, engine: Engine) -> None:
        if self.was_finished:
            return
        if self.evaluator.state.best_metric_epoch < 0:
            logger.info("no validation has given a metric: the final weights are saved as the best")
            self.save(engine, is_best=True)
        elif self.saved_at != engine.state.iteration:
            self.save(engine)
        n_missed = engine.state.epoch - self.evaluator.state.epoch
        if self.is_main and self.evaluator.state.best_metric_epoch >= 0 and n_missed > 0:
            logger.warning(
                f"no validation came after the last {n_missed} of {engine.state.epoch} epochs, so "
                "that their weights cannot be the best; a --val_interval that divides the epochs "
                "ends with one"
            )

    def exit(self, engine: Engine) -> None:
        logger.warning(f"asked to stop: saved in {self.last()}; the same command goes on")
        raise SystemExit(STOPPED)

    def last(self) -> Path | None:
        """Returns the last checkpoint, or None."""
        return next(reversed(list_checkpoints(self.folder)), None)

    def save(self, engine: Engine, is_best: bool = False) -> None:
        """Writes the checkpoint, and then, where it is the best, the deployed model and best.pt.

        Raises:
            InputError: a file cannot be written, because the disk is full for instance; or the
                weights are not finite.
        """
        ranks = self.processes.gather(rank_state(engine))
        self.saved_at, self.is_due = engine.state.iteration, False
        check_finite_weights(engine, self.network.state_dict(), self.last())
        if not self.is_main:
            return
        state = training_state(engine, self.evaluator, self.network, self.others, ranks)
        add_to_note(state["network"], images=self.images)
        config = json.dumps(kept_config(self.run_folder))
        state |= {"config": config, "data": self.data}
        write_checkpoint(state, checkpoint_path(self.folder, engine.state.iteration))
        if is_best:
            deploy(state, self.folder, self.model_path)
        remove_old(self.folder, self.n_saved)
        if is_best:
            logger.info(f"best so far, epoch {engine.state.epoch}: {self.model_path}")

    def load(self, engine: Engine, path: Path, state: dict[str, Any]) -> None:
        """Brings everything to where a checkpoint was saved.

        Raises:
            InputError: the run had other data.
        """
        if self.is_main:
            check_data(state, self.data, path)
        restore(state, engine, self.evaluator, self.network, self.others)
        forget_non_finite(self.evaluator)
        restore_at_first_batch(engine, state["random"][self.processes.rank])
        self.was_finished = engine.state.epoch >= engine.state.max_epochs
        if self.is_main and self.is_best(engine) and not is_deployed(state, self.folder):
            deploy(state, self.folder, self.model_path)  # a run was killed before it could
        if self.was_finished:
            logger.info(f"{self.run_folder} is finished; --resume never trains anew beside it")
        else:
            logger.info(f"goes on from {path}")

    def is_best(self, engine: Engine) -> bool:
        """Tells whether the restored checkpoint is the best, or the last of a run without one."""
        best = self.evaluator.state.best_metric_epoch
        return (
            self.was_finished
            if best < 0
            else best * engine.state.epoch_length == engine.state.iteration
        )
