"""Hides units of the student's crops and asks the teacher about the whole ones."""

from collections.abc import Sequence

from torch.nn.functional import max_pool3d

from ...common.errors import InputError
from ..masked.refusals import Ratio
from ..masked.units import HideUnits
from .network import DistilledNetwork

STRIDE = 16  # voxels of a token along each axis


class DistilledBatch(HideUnits):
    """Adds the teacher's targets to those of `HideUnits`; the engines' `prepare_batch`.

    The teacher runs in float32, outside the engine's autocast.

    Args:
        network: the bare one, which holds the teacher.
        ratio, unit, seed: see `HideUnits`; edges of a unit are multiples of a token's, so that
            each token is hidden whole or not at all.

    Raises:
        InputError: see `HideUnits`; a unit would hide parts of tokens; or, on a call, a crop has no
            other crop of its volume beside it.
    """

    def __init__(
        self, network: DistilledNetwork, ratio: Ratio, unit: Sequence[int], seed: int
    ) -> None:
        if any(edge % STRIDE for edge in unit):
            raise InputError(
                f"mask_unit {list(unit)}: tokens of the objective distilled have {STRIDE} voxels "
                f"along each axis and are hidden whole or not at all; give multiples of {STRIDE}."
            )
        super().__init__(ratio, unit, seed)
        self.network = network

    def __call__(self, batchdata, device=None, non_blocking=False, **kwargs):
        inputs, target = super().__call__(batchdata, device, non_blocking, **kwargs)
        images = batchdata["draw"][:, :2]  # epoch and image: the same for crops of one volume
        if len(images) % 2 or not images[0::2].equal(images[1::2]):
            raise InputError(
                "the objective distilled compares the two crops of a volume; leave "
                "--crops_per_item at 2."
            )
        hidden_tokens = max_pool3d(target["hidden"].float(), STRIDE).flatten(1) > 0
        teacher_targets = self.network.teacher(target["reconstruction"])
        return inputs, target | teacher_targets | {"hidden_tokens": hidden_tokens}
