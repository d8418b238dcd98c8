# generated from common/training/checkpoint_handler.py, do not edit: `make copies`
"""Saves checkpoints of a training and resumes exactly from the last one."""

import json
import logging
import signal
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events

from ..atomic_write import save_atomically
from ..errors import InputError
from ..network.patch_merging import merging_of
from ..runtime.distributed import Processes, is_main_process
from .checkpoint_state import (
    further_parts,
    random_state,
    read_state,
    restore,
    set_random_state,
    training_state,
)
from .run_folder import kept_config, note_merging

logger = logging.getLogger(__name__)

STOPPED = 128 + signal.SIGTERM  # exit status of a process that was told to stop


class CheckpointHandler:
    """Trainer's handler: goes on from the run's last state, and keeps states while it trains.

    A state is saved every `interval` iterations, after every validation, at the end, and when
    SIGTERM asks the run to stop (then it exits with status 143). After a validation that was the
    best so far, by the evaluator's key metric, it is also `best.pt` and its network the deployed
    model; a run too short for any validation deploys its final weights.

    Attach it after `GradientClipping`, whose loss scale it restores, and before all other handlers,
    so that they see where the run goes on; its own saving comes after all of theirs. Attach it in
    every process; the main one writes.

    Args:
        run_folder: states go to `checkpoints/iteration_<n>.pt` and `checkpoints/best.pt` in it.
        model_path: the one deployed weights file: the plain state dict of `network`.
        evaluator: the validation's engine.
        lr_scheduler: whose state is kept beside those of the trainer's network and optimizer.
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

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.started)

    def started(self, engine: Engine) -> None:
        self.processes = Processes()
        self.network = getattr(engine.network, "module", engine.network)  # not its DDP wrapper
        parts = {"optimizer": engine.optimizer, "lr_scheduler": self.lr_scheduler}
        self.others = parts | further_parts(engine)
        saved = self.saved()
        if saved:
            self.load(engine, saved)
        merging = merging_of(self.network)
        if self.is_main and merging:
            note_merging(self.run_folder, merging)
            logger.info(f"this run trains with patch merging {merging}")
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.iteration_completed)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.epoch_completed)
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def iteration_completed(self, engine: Engine) -> None:
        iteration, is_stopping = engine.state.iteration, self.processes.are_told_to_stop()
        if iteration % engine.state.epoch_length == 0:
            return  # the epoch's validation still belongs to this iteration
        if is_stopping or iteration % self.interval == 0:
            self.save(engine)
        if is_stopping:
            self.exit(engine)

    def epoch_completed(self, engine: Engine) -> None:
        is_stopping, state = self.processes.are_told_to_stop(), engine.state
        is_validated = self.evaluator.state.epoch == state.epoch
        if is_validated and self.evaluator.state.best_metric_epoch == state.epoch:
            self.save(engine, is_best=True)
        elif is_validated or is_stopping or state.iteration % self.interval == 0:
            self.save(engine)
        if is_stopping and state.epoch < state.max_epochs:
            self.exit(engine)

    def completed(self, engine: Engine) -> None:
        if self.was_finished:
            return
        if self.evaluator.state.best_metric_epoch < 0:
            logger.info("no validation has run: the final weights are saved as the best")
            self.save(engine, is_best=True)
        elif self.saved_at != engine.state.iteration:
            self.save(engine)

    def exit(self, engine: Engine) -> None:
        logger.warning(f"asked to stop: saved in {self.path(engine)}; the same command goes on")
        raise SystemExit(STOPPED)

    def path(self, engine: Engine) -> Path:
        return self.folder / f"iteration_{engine.state.iteration}.pt"

    def saved(self) -> list[Path]:
        """The last states, oldest first."""
        found = self.folder.glob("iteration_*.pt")
        return sorted(found, key=lambda path: int(path.stem.split("_")[1]))

    def save(self, engine: Engine, is_best: bool = False) -> None:
        """Write the state; as the best and as the deployed model before as the last.

        Raises:
            InputError: it cannot be written, because the disk is full for instance.
        """
        random_states = self.processes.gather(random_state())
        self.saved_at = engine.state.iteration
        if not self.is_main:
            return
        state = training_state(engine, self.evaluator, self.network, self.others)
        state |= {"random": random_states, "config": json.dumps(kept_config(self.run_folder))}
        best = [(state, self.folder / "best.pt"), (state["network"], self.model_path)]
        for content, path in [*(best if is_best else []), (state, self.path(engine))]:
            try:
                save_atomically(content, path)
            except (OSError, RuntimeError) as error:
                last = self.saved()[-1:] or ["the beginning"]
                reason = error.__context__ or error  # what stopped PyTorch's writer
                raise InputError(
                    f"{path} cannot be written ({reason}); make room for it, then the same command "
                    f"goes on from {last[0]}."
                ) from error
        for old in self.saved()[: -self.n_saved]:
            old.unlink()
        if is_best:
            logger.info(f"best so far, epoch {engine.state.epoch}: {self.model_path}")

    def load(self, engine: Engine, saved: list[Path]) -> None:
        """Bring everything to where the last state was saved.

        Raises:
            InputError: it cannot be read, or the run had other data.
        """
        state = read_state(saved[-1], saved[-2] if len(saved) > 1 else "the beginning")
        restore(state, engine, self.evaluator, self.network, self.others)
        set_random_state(state["random"][self.processes.rank])
        for leftover in self.folder.glob(".*") if self.is_main else ():
            leftover.unlink()  # half-written when a run was killed
        self.was_finished = engine.state.epoch >= engine.state.max_epochs
        if self.was_finished:
            logger.info(f"{self.run_folder} is finished; --resume never trains anew beside it")
        else:
            logger.info(f"goes on from {saved[-1]}")
