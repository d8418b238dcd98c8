# generated from common/training/non_finite.py, do not edit: `make copies`
"""Stops a training whose loss is no longer finite; keeps NaN from being the best metric."""

import logging
import math
from pathlib import Path

import torch
from ignite.engine import Engine, Events

from ..errors import InputError
from ..weights.checkpoint_file import find_non_finite
from .metric_logging import loss_of

logger = logging.getLogger(__name__)

# With float16 a step whose gradients overflow is skipped and leaves the weights as they were.
SKIPPED_STEPS = 20


class LossCheck:
    """Tells whether the loss of an iteration ends the training.

    With a loss scale (float16) a few losses in a row may overflow, whose steps are skipped.
    """

    def __init__(self) -> None:
        self.in_a_row = 0

    def has_failed(self, engine: Engine) -> bool:
        """Tells whether the engine's last loss is not finite, and its step was not skipped."""
        loss = torch.as_tensor(loss_of(engine.state.output)["loss"]).detach()
        is_finite = math.isfinite(float(loss))
        self.in_a_row = 0 if is_finite else self.in_a_row + 1
        scaler = engine.scaler
        return self.in_a_row > (SKIPPED_STEPS if scaler and scaler.is_enabled() else 0)


def failure(engine: Engine, words: str, last: Path | None) -> InputError:
    """Returns the sentence of a training that failed.

    Args:
        engine: the trainer.
        words: the statement for the error: "the loss is not finite".
        last: the last good checkpoint, if there is one.
    """
    kept = f"{last} is the last good checkpoint" if last else "no checkpoint had been saved"
    start = f" from it by --pretrained {last}" if last else ""
    return InputError(
        f"{words} in iteration {engine.state.iteration}, and the training has stopped; {kept}; "
        f"begin anew{start} with a lower --learning_rate or with --max_grad_norm 1, and another "
        "--run_name."
    )


def check_finite_weights(engine: Engine, network_tensors: dict, last: Path | None) -> None:
    """Refuses to save weights that are not finite.

    Raises:
        InputError: a tensor holds NaN or infinity.
    """
    name = find_non_finite(network_tensors)
    if name:
        raise failure(engine, f"the weights {name} are NaN or infinite", last)


class FiniteBest:
    """Keeps a key metric that is NaN or infinite from becoming the best.

    MONAI takes the first metric as the best, even NaN, and no later value is better than NaN.
    """

    def __init__(self) -> None:
        self.before = (-1, -1)

    def attach(self, evaluator: Engine) -> None:
        evaluator.add_event_handler(Events.STARTED, self.started)
        evaluator.add_event_handler(Events.EPOCH_COMPLETED, self.epoch_completed)

    def started(self, evaluator: Engine) -> None:
        forget_non_finite(evaluator)
        self.before = evaluator.state.best_metric, evaluator.state.best_metric_epoch

    def epoch_completed(self, evaluator: Engine) -> None:
        state = evaluator.state
        value = state.metrics.get(state.key_metric_name)
        if value is not None and not math.isfinite(float(value)):
            state.best_metric, state.best_metric_epoch = self.before
            logger.warning(
                f"validation {state.key_metric_name} is {float(value)} in epoch {state.epoch}, "
                "which does not count as the best"
            )


def forget_non_finite(evaluator: Engine) -> None:
    """Forgets a best metric that is not finite, as of a checkpoint of before."""
    if not math.isfinite(float(evaluator.state.best_metric)):
        evaluator.state.best_metric, evaluator.state.best_metric_epoch = -1, -1
