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

        A value is NaN where a crop has none; it is left out of the means, of an epoch too.

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
        """Returns chance levels by metric, of this batch or, (N,), of each crop; by default none.

        Those of a metric that some crops lack are of each crop, with NaN for these crops.
        """
        return {}

    def chance_of_epoch(self, levels: Mapping[str, float]) -> Mapping[str, float]:
        """Returns the chance level by metric, from the means of `chance_levels` over all crops.

        By default these are the chance levels; another one chooses, say, the best of several.
        """
        return levels

    @torch.no_grad()
    def of_batch(self, pred, target) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Returns the loss and its terms, scalars, and the values of `of_crops`, (N,) each."""
        terms = self.loss.terms(pred, target)
        return {"loss": self.loss.weighted(terms), **terms}, self.of_crops(pred, target)

    def __call__(self, output: Mapping) -> dict[str, Tensor]:
        """Returns the scalars of a trainer's output; NaN for a metric that no crop of it has."""
        scalars, values = self.of_batch(output["pred"], output["label"])
        return scalars | {name: value.nanmean() for name, value in values.items()}

    def iteration_completed(self, engine: Engine) -> None:
        """Adds a batch, but for one that repeats another process's (`ValidationBatchSampler`)."""
        sampler = getattr(engine.state.dataloader, "batch_sampler", None)
        self.share = float(not getattr(sampler, "repeats", False))
        super().iteration_completed(engine)

    @reinit__is_reduced
    def reset(self) -> None:
        self.names, self.chance_names = (), ()
        self.sums = self.chance_sums = torch.zeros(0, 2, dtype=torch.float64)
        self.crops, self.chance, self.share = 0, {}, 1.0

    @reinit__is_reduced
    @torch.no_grad()
    def update(self, output) -> None:
        (scalars, values), chance = self.of_batch(*output), self.chance_levels(*output)
        crops = len(next(iter(values.values())))
        values = {**scalars, **values, **self.of_validation(*output)}
        self.sums = self._added(self.sums, values, crops)
        self.chance_sums = self._added(self.chance_sums, chance, crops)
        self.names, self.chance_names = tuple(values), tuple(chance)
        self.crops += self.share * crops

    @sync_all_reduce("sums", "chance_sums")
    def compute(self) -> dict[str, float]:
        levels = _averages(self.chance_names, self.chance_sums)
        self.chance = dict(self.chance_of_epoch(levels))
        return _averages(self.names, self.sums)

    def _added(self, sums: Tensor, values: Mapping[str, float | Tensor], crops: int) -> Tensor:
        """Adds a batch's `totals`; the first batch says of how many metrics."""
        rows = [totals(torch.as_tensor(value), crops) for value in values.values()]
        batch = self.share * torch.tensor(rows, dtype=torch.float64).view(-1, 2)
        return batch + sums if len(sums) else batch


def totals(value: Tensor, crops: int) -> tuple[float, int]:
    """Computes the sum of a metric over the crops of a batch, and the number of crops it is of.

    Args:
        value: a scalar that counts for every crop, even NaN; or (N,), NaN for crops without one.
        crops: N.
    """
    if value.ndim == 0:
        return crops * float(value), crops
    value = value.cpu().double()
    return float(value.nansum()), int((~value.isnan()).sum())


def _averages(names: tuple[str, ...], sums: Tensor) -> dict[str, float]:
    """Divides sums by counts, (len(names), 2); NaN for a metric that no crop has."""
    return {name: float(total / count) for name, (total, count) in zip(names, sums)}
