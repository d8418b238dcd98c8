"""Warns of an objective that has collapsed."""

import logging
from math import log

from ignite.engine import Engine, Events

from ...common.runtime.distributed import is_main_process

logger = logging.getLogger(__name__)

COLLAPSED = 0.95  # mean cosine between different volumes from which embeddings tell nothing apart
TWO_PROTOTYPES = log(2)  # entropy, nats, of a teacher that uses two prototypes


class CollapseWarning:
    """Warns when embeddings tell nothing apart any more; an evaluator's handler.

    That is when all volumes have nearly the same one (`mean_cosine`), or when a teacher uses fewer
    than two prototypes (`teacher_entropy`). Of metrics that an objective lacks it says nothing.
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
        entropy = engine.state.metrics.get("teacher_entropy", TWO_PROTOTYPES)
        if entropy < TWO_PROTOTYPES:
            logger.warning(
                f"the teacher has collapsed: the entropy of its prototypes is {entropy:.3f}, less "
                "than that of two; if this lasts, use a smaller learning rate or more crops a batch"
            )
