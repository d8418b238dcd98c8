# generated from common/inference/ensemble.py, do not edit: `make copies`
"""Several networks, and mirrored copies of a volume, as one prediction: their mean probability."""

import glob
import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer
from torch import Tensor, nn

from ..errors import InputError
from ..weights.load import load_state, network_state
from ..weights.preprocessing_note import merging_in

logger = logging.getLogger(__name__)


class EnsembleInferer(Inferer):
    """Mean over members and mirrored volumes of the softmax of an inferer's scores.

    The members are weights for one network. They wait in the host's memory and are loaded into it
    in turn, a whole volume each. The scores of one member and the mean so far exist at once,
    however many members there are. With no more than one member and no flip, it is the inferer
    alone. Without `load`, it runs the network that it is given, as servers need it.

    Args:
        inferer: gives the scores of a volume (B, classes, X, Y, Z).
        flip_axes: axes of the network's grid, 0 (left to right), 1 (back to front) and 2 (feet to
            head); the mean is over every combination of flips along them, so each doubles the time.
            Left and right organs stay told apart where the training flipped along axis 0 too: there
            the network learns them from their neighbours, not from the side.

    Raises:
        InputError: an axis does not exist.
    """

    def __init__(self, inferer: Inferer, flip_axes: Sequence[int] = ()) -> None:
        super().__init__()
        if not set(flip_axes) <= {0, 1, 2}:
            raise InputError(f"--flip_axes {list(flip_axes)} names no axes; they are 0, 1 and 2.")
        self.inferer, axes = inferer, sorted(set(flip_axes))
        self.flips = [flip for n in range(len(axes) + 1) for flip in combinations(axes, n)]
        self.members: list[dict[str, Tensor]] = []  # empty: the weights that the network has

    def load(
        self,
        network: nn.Module,
        ckpt_path: str | Sequence[str],
        trained_with: Mapping[str, Any] | None = None,
        allow_other_merging: bool = False,
    ) -> None:
        """Take the members from files; a single one goes into the network at once.

        Args:
            network: what the weights must fit.
            ckpt_path: see `member_paths`.
            trained_with: spacing and intensity range of this run; see `load.network_state`.
            allow_other_merging: likewise.

        Raises:
            InputError: there is none, or one is missing, damaged, does not fit, or is to be run by
                another patch merging than the first.
        """
        paths = member_paths(ckpt_path)
        states = [network_state(path, network, trained_with, allow_other_merging) for path in paths]
        kinds = [merging_in(state) for state in states]
        for path, kind in zip(paths, kinds):
            if kind != kinds[0]:
                raise InputError(
                    f"{paths[0]} was trained with patch merging {kinds[0]}, {path} with {kind}; an "
                    "ensemble is of one kind: give --ckpt_path members that agree."
                )
        if len(states) == 1:
            load_state(network, states[0])
        else:
            logger.info(f"ensemble of {len(states)} networks: the mean of their probabilities")
        self.members = states if len(states) > 1 else []

    @torch.no_grad()
    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args, **kwargs) -> Tensor:
        """inputs: (B, C, X, Y, Z); returns scores (B, classes, X, Y, Z).

        Of several members or flips they are the logarithm of the mean probability, so that their
        softmax is that mean.
        """
        count = max(1, len(self.members)) * len(self.flips)
        if count == 1:
            return self.inferer(inputs, network, *args, **kwargs)
        volume = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        mean = None
        for member in self.members or [None]:
            if member is not None:
                load_state(network, member)
                torch.clear_autocast_cache()  # it holds the last member's weights in half precision
            for flip in self.flips:
                axes = [2 + axis for axis in flip]
                scores = self.inferer(volume.flip(axes), network, *args, **kwargs)
                mean = _added(mean, scores, axes)
        for plane in _planes(mean):
            plane.div_(count).clamp_(min=torch.finfo(plane.dtype).tiny).log_()
        if isinstance(inputs, MetaTensor):
            return MetaTensor(mean, meta=inputs.meta, applied_operations=inputs.applied_operations)
        return mean


def _planes(scores: Tensor) -> tuple[Tensor, ...]:
    """Views (B, classes, Y, Z): what is done to one at a time takes little memory beside them."""
    return scores.unbind(2)


def _added(total: Tensor | None, scores: Tensor, flipped: Sequence[int]) -> Tensor:
    """The sum of probabilities with those of `scores`, flipped back, added in place."""
    for plane in _planes(scores):
        plane.copy_(plane.softmax(1))
    if total is None:
        return scores.flip(flipped) if flipped else scores
    planes = _planes(scores)[:: -1 if 2 in flipped else 1]
    within = [axis - 1 for axis in flipped if axis > 2]
    for plane, further in zip(_planes(total), planes):
        plane += (further.flip(within) if within else further).to(plane.device)
    return total


def member_paths(ckpt_path: str | Sequence[str]) -> list[str]:
    """Files of an ensemble's members, in the order given; those of a pattern are sorted.

    Args:
        ckpt_path: a path, a pattern such as `runs/fold*/checkpoints/best.pt`, or a list of them.

    Raises:
        InputError: a pattern matches no file, or the list is empty.
    """
    paths = []
    for given in [ckpt_path] if isinstance(ckpt_path, str) else ckpt_path:
        is_pattern = glob.has_magic(str(given)) and not Path(given).exists()
        found = sorted(glob.glob(given)) if is_pattern else [str(given)]
        if not found:
            raise InputError(f"no weights match {given}; check --ckpt_path, or train first.")
        paths += found
    if not paths:
        raise InputError("--ckpt_path is an empty list; give at least one file with weights.")
    return paths
