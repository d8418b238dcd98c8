"""Loads whole networks for evaluation and inference: every tensor, or a refusal."""

import logging
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..network.patch_merging import asked_merging, merging_of, set_merging
from . import find_merging, matching, objective, preprocessing_note
from .check_fit import check_network
from .layouts import Weights, read_weights

logger = logging.getLogger(__name__)


def network_state(
    path: str,
    network: nn.Module,
    trained_with: Mapping[str, Any] | None = None,
    allow_other_merging: bool = False,
) -> dict[str, Tensor]:
    """Reads the tensors of a whole network from a file: none is missing, misshapen or unknown.

    Args:
        path: a file of any layout (see `layouts`) that holds a whole network.
        network: the bare network; it stays as it is.
        trained_with: spacing and intensity range of this run. Those in the file's note must be
            equal (see `preprocessing_note`); None compares nothing. Other knobs of the objective
            are told in a warning, since a run may mean them.
        allow_other_merging: see `find_merging.decide`.

    Returns:
        The tensors by the network's names. Their note has the patch merging by which they run.

    Raises:
        InputError: the file cannot be used (see `layouts.read_weights`), does not fit, or was
            trained with another spacing, intensity range or merging (see `find_merging.decide`).
    """
    remedy = "train first (configs/train.json), or give your own by --ckpt_path."
    weights, network_tensors = read_weights(path, remedy), network.state_dict()
    check_network(weights, network_tensors, trained_with, remedy)
    merging, merging_words = decide_merging(weights, network, allow_other_merging)
    left_out = matching.describe_left_out(weights.tensors, network_tensors)
    other_knobs = objective.describe_other_knobs(weights.trained_with or {}, trained_with or {})
    if other_knobs:
        logger.warning(f"{path} was pre-trained with {other_knobs}")
    preprocessing = preprocessing_note.describe_agreement(weights.trained_with, trained_with)
    count = len(network_tensors)
    logger.info(
        f"weights: {count} of {count} tensors from {path} ({weights.layout}; {merging_words}; "
        f"{preprocessing})" + (f"; left out: {left_out}" if left_out else "")
    )
    tensors = matching.with_positions(weights.tensors, network_tensors)
    tensors = {name: tensors[name] for name in network_tensors}
    return preprocessing_note.with_metadata(tensors, weights.trained_with, merging)


def load_state(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Loads the tensors of `network_state`, and sets the patch merging that their note has."""
    merging = preprocessing_note.merging_in(state)
    if merging:
        set_merging(network, merging)
    network.load_state_dict(state)


def load_weights(
    network: nn.Module,
    ckpt_path: str,
    trained_with: Mapping[str, Any] | None = None,
    allow_other_merging: bool = False,
) -> None:
    """Loads a whole network for evaluation or inference, and reports it in one line of the log.

    Raises:
        InputError: see `network_state`.
    """
    load_state(network, network_state(ckpt_path, network, trained_with, allow_other_merging))


def decide_merging(
    weights: Weights, network: nn.Module, allow_other_merging: bool
) -> tuple[str | None, str]:
    """Decides by which patch merging weights run, and says why; None without patch merging.

    Raises:
        InputError: see `find_merging.decide`.
    """
    if merging_of(network) is None:
        return None, "patch merging not compared, as this network has another kind or none"
    asked, evidence = asked_merging(network), weights.evidence
    merging = find_merging.decide(asked, evidence, weights.path, allow_other_merging)
    return merging, find_merging.in_words(evidence, merging)
