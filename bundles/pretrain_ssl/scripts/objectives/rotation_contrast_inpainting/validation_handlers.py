"""Warns of a contrastive task that has collapsed."""

import logging

from ignite.engine import Engine, Events

from ...common.runtime.distributed import is_main_process

logger = logging.getLogger(__name__)

COLLAPSED = 0.95  # mean cosine between different volumes from which embeddings tell nothing apart


class CollapseWarning:
    """Warns when all volumes have nearly the same embedding; an evaluator's handler.

    The handler does nothing where an objective has no metric `mean_cosine`.
    """

    def attach(self, engine: Engine) -> None:
        if not is_main_process():
            return
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def completed(self, engine: Engine) -> None:
        cosine = engine.state.metrics.get("mean_cosine", 0.0)
        if cosine > COLLAPSED:
            logger.warning(
                f"the contrastive task has collapsed: different volumes have a mean cosine of "
                f"{cosine:.3f}, top-1 is {engine.state.metrics['contrastive_top1']:.2f}; if this "
                "lasts, use the default heads, more crops a batch or a smaller learning rate"
            )
