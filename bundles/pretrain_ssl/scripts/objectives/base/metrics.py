"""Computes an objective's metrics: of a batch in training, over an epoch in validation."""

from collections.abc import Mapping

import torch
from ignite.engine import Engine
from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce
from torch import Tensor

from ...common.errors import InputError, suggest_and_list
from .loss import ObjectiveLoss


class ObjectiveMetrics(Metric):
    """Averages the loss, its terms and an objective's metrics over the crops of an epoch.

    One object serves the trainer's `MetricLogger`, which calls it with each output, and the
    validation, whose means are gathered over all processes; see `by_key`. A subclass defines
    `of_crops` and, for metrics that have one, `chance_levels`.

    Args:
        loss: of the objective.

    Attributes:
        chance: after a validation, the value by name that knowing nothing would reach.
    """

    def __init__(self, loss: ObjectiveLoss) -> None:
        self.loss = loss
        super().__init__(output_transform=lambda output: (output["pred"], output["label"]))

    def by_key(self, name: str) -> dict[str, Metric]:
        """Returns an evaluator's metrics, first the one whose lowest value is the best.

        Args:
            name: `loss`, or a term of it, `masked_loss`.

        Raises:
            InputError: the loss has no such term.
        """
        known = ["loss", *(f"{term}_loss" for term in self.loss.names or self.loss.weights)]
        if name not in known:
            raise InputError(
                f"key_metric {name} is no loss of the objective; {suggest_and_list(name, known)}"
            )
        return {name: self[name], "metrics": self}

    def of_crops(self, pred, target) -> dict[str, Tensor]:
        """Returns each metric as (N,), one value per crop or view of a batch, in its order.

        Args:
            pred, target: as `loss.terms` takes them.
        """
        raise NotImplementedError

    def of_validation(self, pred, target) -> dict[str, Tensor]:
        """Returns further metrics, as `of_crops` does, that cost too much for a training's steps.

        Args:
            pred, target: as `loss.terms` takes them.
        """
        return {}

    def chance_levels(self, pred, target) -> Mapping[str, float | Tensor]:
        """Returns the chance level in this batch, a scalar by metric; by default there is none."""
        return {}

    def chance_of_epoch(self, levels: Mapping[str, float]) -> Mapping[str, float]:
        """Returns the chance level by metric, from the means of `chance_levels` over all crops.

        By default these are the chance levels; another one chooses, say, the best of several.
        """
        return levels

    @torch.no_grad()
    def of_batch(self, pred, target) -> tuple[dict[str, Tensor], int]:
        """Returns scalars (the loss, its terms, the means of `of_crops`) and N of `of_crops`."""
        terms, values = self.loss.terms(pred, target), self.of_crops(pred, target)
        means = {name: value.mean() for name, value in values.items()}
        count = len(next(iter(values.values())))
        return {"loss": self.loss.weighted(terms), **terms, **means}, count

    def __call__(self, output: Mapping) -> dict[str, Tensor]:
        """Returns the scalars of a trainer's output."""
        return self.of_batch(output["pred"], output["label"])[0]

    def iteration_completed(self, engine: Engine) -> None:
        """Adds a batch, but for one that repeats another process's (`ValidationBatchSampler`)."""
        sampler = getattr(engine.state.dataloader, "batch_sampler", None)
        self.share = float(not getattr(sampler, "repeats", False))
        super().iteration_completed(engine)

    @reinit__is_reduced
    def reset(self) -> None:
        self.names, self.chance_names = (), ()
        self.sums = self.chance_sums = torch.zeros(0, dtype=torch.float64)
        self.crops, self.chance, self.share = 0, {}, 1.0

    @reinit__is_reduced
    @torch.no_grad()
    def update(self, output) -> None:
        (means, crops), chance = self.of_batch(*output), self.chance_levels(*output)
        crops *= self.share
        further = self.of_validation(*output)
        means |= {name: value.mean() for name, value in further.items()}
        self.sums = _added(self.sums, crops, means)
        self.chance_sums = _added(self.chance_sums, crops, chance)
        self.names, self.chance_names = tuple(means), tuple(chance)
        self.crops += crops

    @sync_all_reduce("sums", "chance_sums", "crops")
    def compute(self) -> dict[str, float]:
        levels = self._averages(self.chance_names, self.chance_sums)
        self.chance = dict(self.chance_of_epoch(levels))
        return self._averages(self.names, self.sums)

    def _averages(self, names: tuple[str, ...], sums: Tensor) -> dict[str, float]:
        return {name: float(total) / self.crops for name, total in zip(names, sums)}


def _added(sums: Tensor, crops: float, means: Mapping[str, float | Tensor]) -> Tensor:
    """Adds a batch's means, weighted by its crops; the first batch says how many there are."""
    values = torch.tensor([float(value) for value in means.values()], dtype=torch.float64)
    return crops * values + (sums if len(sums) else 0)
