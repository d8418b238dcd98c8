# generated from common/inference/ensemble.py, do not edit: `make copies`
"""Averages the probabilities of several networks and of mirrored copies of a volume."""

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
from ..runtime.distributed import is_main_process
from ..runtime.end_of_run import warn_now_and_at_end
from ..weights.load import load_state, network_state
from ..weights.orientation import describe_other_orientation
from ..weights.preprocessing_note import merging_in, read_metadata
from .exported_network import ExportedNetwork

logger = logging.getLogger(__name__)


class EnsembleInferer(Inferer):
    """Averages the softmax of an inferer's scores over members and mirrored volumes.

    The members are weights for one network. They wait in the host's memory, and the network loads
    each in turn for a whole volume. The scores of one member and the mean so far exist at once,
    however many members there are. With at most one member and no flip, the inferer runs alone.
    Without `load`, the network of the call runs with its own weights, as servers need it.

    Args:
        inferer: gives the scores of a volume (B, classes, X, Y, Z).
        flip_axes: axes of the network's grid, 0 (left to right), 1 (back to front) and 2 (feet to
            head). The mean is over every combination of flips, so each axis doubles the time. Left
            and right organs stay apart where the training flipped along axis 0 too: there the
            network learns them from their neighbours, not from the side.

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
        self.notes: dict[str, dict[str, Any]] = {}  # on the training of each loaded file

    def load(
        self,
        network: nn.Module,
        ckpt_path: str | Sequence[str],
        trained_with: Mapping[str, Any] | None = None,
        allow_other_merging: bool = False,
    ) -> None:
        """Reads the members from checkpoints; the network loads a single one at once.

        Where a training has corrected its images' headers and this run does not, or the other way
        round, a warning says so, and again at the end of the run.

        Args:
            network: the weights must fit it; an `ExportedNetwork` reads its own file.
            ckpt_path: see `member_paths`.
            trained_with: spacing and intensity range of this run; see `load.network_state`.
            allow_other_merging: see `load.network_state`.

        Raises:
            InputError: there is no member, or one is missing, damaged, does not fit, or has another
                patch merging than the first; or there are several exported networks.
        """
        paths = member_paths(ckpt_path)
        if isinstance(network, ExportedNetwork):
            if len(paths) > 1:
                raise InputError(
                    f"--ckpt_path names {len(paths)} exported networks, and a run takes one; an "
                    "ensemble is of files with weights, by configs/inference.json alone."
                )
            network.load(paths[0], trained_with)
            self._keep_notes({paths[0]: network.note}, trained_with)
            return
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
        notes = {path: read_metadata(state) or {} for path, state in zip(paths, states)}
        self._keep_notes(notes, trained_with)

    def _keep_notes(self, notes: dict[str, dict], trained_with: Mapping[str, Any] | None) -> None:
        self.notes = notes
        line = describe_other_orientation(notes, trained_with or {})
        if line and is_main_process():
            warn_now_and_at_end(line)

    @torch.no_grad()
    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args, **kwargs) -> Tensor:
        """Computes the scores of a batch.

        Args:
            inputs: (B, C, X, Y, Z).
            network: maps windows (B, C, x, y, z) to scores (B, classes, x, y, z).

        Returns:
            Scores (B, classes, X, Y, Z). Of several members or flips they are the logarithm of the
            mean probability, so that their softmax is that mean.
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
                flipped = volume.flip(axes)
                if isinstance(inputs, MetaTensor):  # warnings name the file
                    flipped = MetaTensor(flipped, meta=inputs.meta)
                scores = self.inferer(flipped, network, *args, **kwargs)
                scores = scores.as_tensor() if isinstance(scores, MetaTensor) else scores
                mean = _add_probabilities(mean, scores, axes)
        for plane in _planes(mean):
            plane.div_(count).clamp_(min=torch.finfo(plane.dtype).tiny).log_()
        if isinstance(inputs, MetaTensor):
            return MetaTensor(mean, meta=inputs.meta, applied_operations=inputs.applied_operations)
        return mean


def _planes(scores: Tensor) -> tuple[Tensor, ...]:
    """Views (B, classes, X, Y, Z) as X planes: work on one at a time takes little memory."""
    return scores.unbind(2)


def _add_probabilities(total: Tensor | None, scores: Tensor, flipped: Sequence[int]) -> Tensor:
    """Adds the probabilities of `scores`, flipped back, to their sum (B, classes, X, Y, Z)."""
    for plane in _planes(scores):
        plane.copy_(plane.softmax(1))
    if total is None:
        return scores.flip(flipped) if flipped else scores
    planes = _planes(scores)[:: -1 if 2 in flipped else 1]
    within = [axis - 1 for axis in flipped if axis > 2]
    for plane, flipped_plane in zip(_planes(total), planes):
        plane += (flipped_plane.flip(within) if within else flipped_plane).to(plane.device)
    return total


def member_paths(ckpt_path: str | Sequence[str]) -> list[str]:
    """Lists the files of an ensemble's members in the order of `ckpt_path`, a pattern's sorted.

    Args:
        ckpt_path: a path, a pattern such as `runs/fold[0-4]/checkpoints/best.pt`, or a list.

    Raises:
        InputError: a pattern matches no file, or the list is empty.
    """
    paths = []
    for pattern in [ckpt_path] if isinstance(ckpt_path, str) else ckpt_path:
        is_pattern = glob.has_magic(str(pattern)) and not Path(pattern).exists()
        matches = sorted(glob.glob(pattern)) if is_pattern else [str(pattern)]
        if not matches:
            raise InputError(f"no weights match {pattern}; check --ckpt_path, or train first.")
        paths += matches
    if not paths:
        raise InputError("--ckpt_path is an empty list; give at least one file with weights.")
    return paths
