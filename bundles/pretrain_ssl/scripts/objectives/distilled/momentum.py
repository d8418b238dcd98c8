"""Moves the momentum teacher after every step of the student."""

from math import cos, pi

from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import nn

from .teacher import HEADS


class MomentumUpdate:
    """Updates the teacher after every step; a trainer's handler.

    At the start of a new run the teacher becomes the student, weights of `--pretrained` included.
    In the first iterations the prototypes get no gradient, as in the first epoch of DINO and SMIT.
    The centres start at the mean logits of the first batch.

    Args:
        iterations: of the training; the momentum reaches 1 at their end.
        momentum: at the start.
        temperatures: of the teacher, at the start and after the warm-up, linear between them.
        warmup: share of the iterations; 30 of SMIT's 500 epochs are 0.06.
        frozen: share of the iterations, rounded down, without a gradient of the prototypes; 1 of
            DINO's 100 epochs is 0.01, 1 of SMIT's 500 is 0.002.
        centre_momentum: of the centres.
    """

    def __init__(
        self,
        iterations: int,
        momentum: float = 0.996,
        temperatures: tuple[float, float] = (0.04, 0.07),
        warmup: float = 0.06,
        frozen: float = 0.01,
        centre_momentum: float = 0.9,
    ) -> None:
        self.iterations, self.lowest = iterations, momentum
        self.warmup, self.frozen = warmup, frozen
        self.temperatures, self.centre_momentum = temperatures, centre_momentum

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.started)
        engine.add_event_handler(Events.ITERATION_STARTED, self.iteration_started)
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self.backward_completed)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.iteration_completed)

    def started(self, engine: Engine) -> None:
        if engine.state.iteration == 0:  # a run that goes on has the teacher of its checkpoint
            student = _student(engine)
            student.teacher.follow(student, momentum=0.0)

    def iteration_started(self, engine: Engine) -> None:
        first, last = self.temperatures
        done = (engine.state.iteration - 1) / max(1, self.warmup * self.iterations)
        _student(engine).teacher.temperature.fill_(first + (last - first) * min(1.0, done))

    def backward_completed(self, engine: Engine) -> None:
        if engine.state.iteration <= self.frozen * self.iterations:
            for name in HEADS:
                getattr(_student(engine), name).prototypes.grad = None

    def iteration_completed(self, engine: Engine) -> None:
        student = _student(engine)
        student.teacher.follow(student, self.momentum(engine.state.iteration))
        momentum = self.centre_momentum if engine.state.iteration > 1 else 0.0
        student.teacher.centre(engine.state.output["label"], momentum)

    def momentum(self, iteration: int) -> float:
        """Returns the momentum after an iteration, `momentum` to 1 by a cosine."""
        return 1 - (1 - self.lowest) * (cos(pi * iteration / self.iterations) + 1) / 2


def _student(engine: Engine) -> nn.Module:
    return getattr(engine.network, "module", engine.network)
