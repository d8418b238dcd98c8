"""Warns of an objective that has collapsed."""

import logging
from math import log

from ignite.engine import Engine, Events

from ...common.runtime.distributed import is_main_process

logger = logging.getLogger(__name__)

COLLAPSED = 0.95  # mean cosine between different volumes from which embeddings tell nothing apart
TWO_PROTOTYPES = log(2)  # entropy, nats, of a teacher that uses two prototypes
EVEN = 0.97  # `token_evenness`: untrained teachers had 0.96 at most, collapsed ones 0.98 at least
OF_OTHER_VOLUMES = ("contrastive_top1", "global_top1")  # metrics that compare those of a batch


class CollapseWarning:
    """Warns when embeddings tell nothing apart any more; an evaluator's handler.

    That is when all volumes have nearly the same one (`mean_cosine`), when a teacher uses fewer
    than two prototypes (`teacher_entropy`), or when it gives every token nearly even probabilities
    (`token_evenness`). Of metrics that an objective lacks it says nothing.

    Warns once when a batch holds a single volume, which nothing is compared with: a contrast is
    then perfect whatever the network does, and no collapse can be seen.
    """

    def __init__(self) -> None:
        self.batches, self.single, self.has_warned = 0, 0, False

    def attach(self, engine: Engine) -> None:
        if not is_main_process():
            return
        engine.add_event_handler(Events.STARTED, self.started)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.iteration_completed)
        engine.add_event_handler(Events.COMPLETED, self.completed)

    def started(self, engine: Engine) -> None:
        self.batches = self.single = 0

    def iteration_completed(self, engine: Engine) -> None:
        volumes = engine.state.batch["draw"][:, 1].unique()
        self.batches, self.single = self.batches + 1, self.single + (len(volumes) == 1)

    def completed(self, engine: Engine) -> None:
        names = [name for name in OF_OTHER_VOLUMES if name in engine.state.metrics]
        if names and self.single and not self.has_warned:
            self.has_warned = True
            several = len(engine.state.dataloader.dataset) > 1
            logger.warning(
                f"{self.single} of {self.batches} validation batches hold a single volume, where "
                f"{names[0]} and its loss have nothing to compare and are perfect: neither the "
                "choice of the best weights nor a warning of collapse rests on them there; hold "
                "out more volumes by --validation_fraction or the datalist"
                + (", or give another --val_batch_size" if several else "")
            )
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
        evenness = engine.state.metrics.get("token_evenness", 0.0)
        if evenness > EVEN:
            logger.warning(
                "the teacher has collapsed: it gives every token nearly even probabilities, whose "
                f"entropy is {evenness:.3f} of the highest; if this lasts, use a smaller learning "
                "rate or more crops a batch"
            )
