"""Measures how well the levels of a fusion are told, and what knowing nothing would reach."""

from collections.abc import Mapping

import torch
from monai.metrics import compute_dice
from torch import Tensor

from ..base import ObjectiveMetrics

DISTINCT = 0.02  # of [0, 1]: 40 HU of the default range; less apart is hardly above a CT's noise


def fusion_metrics(predicted: Tensor, target: Mapping[str, Tensor], levels: int) -> dict:
    """Computes the metrics of each crop, (B,).

    `fusion_dice`: Dice, mean over the levels 1 to K that the crop has; `fusion_accuracy`: share of
    the voxels whose level is right; `distinct_accuracy`: that of the voxels at which foreground and
    background differ by more than `DISTINCT`, since elsewhere nothing tells the levels apart;
    `mixture_accuracy`: the same when k and K - k count as one. How much two crops are mixed is seen
    at the voxel, which of them is the foreground only from the blocks around it, and is learnt
    later. The last two are NaN in a crop without such voxels.

    Args:
        predicted: levels (B, 1, X, Y, Z) int64.
        target: that of `FuseCrops`.
        levels: K.
    """
    labels, is_distinct = target["labels"], target["difference"] > DISTINCT
    is_right = (predicted == labels).flatten(1)
    is_mixture = (_mixture(predicted, levels) == _mixture(labels, levels)).flatten(1)
    is_distinct = is_distinct.flatten(1)
    dice = compute_dice(predicted, labels, include_background=False, num_classes=levels + 1)
    n_distinct = is_distinct.sum(dim=1)
    return {
        "fusion_dice": dice.nanmean(dim=1),
        "fusion_accuracy": is_right.float().mean(dim=1),
        "distinct_accuracy": (is_right & is_distinct).sum(dim=1) / n_distinct,
        "mixture_accuracy": (is_mixture & is_distinct).sum(dim=1) / n_distinct,
    }


def _mixture(level: Tensor, levels: int) -> Tensor:
    """Computes the level of the less visible crop: the same of k and K - k."""
    return torch.minimum(level, levels - level)


def dice_of_random_levels(labels: Tensor, levels: int) -> Tensor:
    """Computes the `fusion_dice` (B,) to expect of levels drawn anew for every voxel.

    The levels 1 to K are equally likely, as they are in the blocks. Where a share p of the voxels
    has a level and a share q is given it, by chance, its Dice is 2 p q / (p + q). This grows with q
    and is concave: of all frequencies that are the same at every voxel, equal ones reach the most
    over many crops, and level 0, which is not scored, is best never given.

    Args:
        labels: (B, 1, X, Y, Z), 0 to K.
        levels: K.
    """
    of_crops = labels.flatten(1)
    scored = range(1, levels + 1)
    shares = torch.stack([(of_crops == k).float().mean(dim=1) for k in scored], dim=1)
    dice = 2 * shares / (levels * shares + 1)
    return dice.where(shares > 0, torch.nan).nanmean(dim=1)


class FusionMetrics(ObjectiveMetrics):
    """Averages `fusion_metrics`, the loss and its terms over the crops of an epoch."""

    def of_crops(self, pred: Tensor, target: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return fusion_metrics(pred.argmax(dim=1, keepdim=True), target, pred.shape[1] - 1)

    def chance_levels(
        self, pred: Tensor, target: Mapping[str, Tensor]
    ) -> dict[tuple[str, int | str], Tensor]:
        """Returns, by metric and guess, what that guess reaches in each crop, (B,).

        A guess is one level for all voxels or, for Dice, "random": see `dice_of_random_levels`.
        """
        labels, levels = target["labels"], pred.shape[1] - 1
        chance = {
            (name, level): values
            for level in range(levels + 1)
            for name, values in fusion_metrics(
                torch.full_like(labels, level), target, levels
            ).items()
        }
        return chance | {("fusion_dice", "random"): dice_of_random_levels(labels, levels)}

    def chance_of_epoch(self, levels: Mapping[tuple[str, int | str], float]) -> dict[str, float]:
        """Returns for each metric the best value that one guess for all crops reaches.

        It is one guess for all crops of the epoch, so that the size of a batch does not count.
        """
        names = dict.fromkeys(name for name, _ in levels)
        return {
            name: max(value for key, value in levels.items() if key[0] == name) for name in names
        }
