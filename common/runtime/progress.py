"""Shows the progress of an engine, and its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from monai.utils import optional_import

if TYPE_CHECKING:
    from ignite.engine import Engine

Events, _ = optional_import("ignite.engine", name="Events")  # serving does without ignite
tqdm, _ = optional_import("tqdm", name="tqdm")


class ProgressBar:
    """Shows one bar over all iterations of an engine, and closes it whatever happens.

    Args:
        unit: of the count: "case", "crop".
        per_iteration: how many of them an iteration has.
    """

    def __init__(self, unit: str, per_iteration: int = 1) -> None:
        self.unit, self.per_iteration = unit, per_iteration
        self.bar: Any = None

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.started)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.iteration_completed)
        engine.add_event_handler(Events.COMPLETED, lambda engine: self.bar.close())
        engine.add_event_handler(Events.EXCEPTION_RAISED, self.exception_raised)

    def started(self, engine: Engine) -> None:
        total, done = engine.state.max_epochs * engine.state.epoch_length, engine.state.iteration
        scale = self.per_iteration
        self.bar = tqdm(
            total=total * scale,
            initial=done * scale,
            unit=self.unit,
            unit_scale=self.per_iteration > 1,
            mininterval=1,
        )

    def iteration_completed(self, engine: Engine) -> None:
        self.bar.update(self.per_iteration)

    def exception_raised(self, engine: Engine, error: BaseException) -> None:
        if self.bar is not None:  # another handler may fail before it is begun
            self.bar.close()
        raise error  # ignite takes an exception that has a handler for handled


def scalars(engine: Engine) -> dict[str, float]:
    """Lists the engine's metrics that are plain numbers, by name."""
    metrics = engine.state.metrics.items()
    return {name: float(value) for name, value in metrics if not isinstance(value, Mapping)}
