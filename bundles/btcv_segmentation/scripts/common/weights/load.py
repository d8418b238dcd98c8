# generated from common/weights/load.py, do not edit: `make copies`
"""Loads weights into networks exactly, reports them, and refuses a file that lacks a tensor."""

import logging
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..cli.command_line import started_from_shell
from ..errors import InputError
from ..network.encoder import is_frozen
from ..network.patch_merging import AUTO, CURRENT, asked_merging, merging_of, set_merging
from . import find_merging, matching, objective, preprocessing_note
from .check_fit import check_encoder, check_network
from .inflate import repeat_input_channel
from .layouts import Weights, read_weights
from .preprocessing_note import STARTED_FROM

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
    merging, merging_words = _decide_merging(weights, network, allow_other_merging)
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


def _decide_merging(
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


def load_pretrained(
    network: nn.Module,
    pretrained: str | None,
    trained_with: Mapping[str, Any] | None = None,
    allow_partial: bool = False,
    inflate_input: bool = False,
    allow_other_merging: bool = False,
    decoder_first: bool = False,
) -> None:
    """Starts a training from an encoder or a whole network, and reports the source of each part.

    All tensors of the encoder must be there and fit. Tensors of the decoder and the heads are
    loaded where the file has the same name in the same shape, so that another number of classes
    keeps all but the last layer.

    Args:
        network: `SwinUNETR`, or any network with a `swinViT`; the bare one.
        pretrained: a file of any layout (see `layouts`); None or "" starts from scratch.
        trained_with: spacing and intensity range of this run; the log line reports where those of
            the file differ.
        allow_partial: load the tensors that fit of an encoder that is not this network's.
        inflate_input: see `inflate.repeat_input_channel`.
        allow_other_merging: see `find_merging.decide`.
        decoder_first: the training's schedule begins with the encoder frozen.

    Raises:
        InputError: see `layouts.read_weights` and `find_merging.decide`; or the file does not
            hold this network's encoder; or the encoder is frozen, for good or at first, and
            `pretrained` missing.
    """
    if not pretrained:
        if is_frozen(network):
            raise InputError("--encoder_lr_scale 0 keeps the encoder as it is; give --pretrained.")
        if decoder_first:
            raise InputError(
                "the sawtooth schedule first trains the decoder on an encoder that stays as it is, "
                "and without --pretrained that one is random; give --pretrained, or "
                "--decoder_epochs 0."
            )
        _start_from_scratch(network)
        return
    remedy = "give weights by --pretrained that docs/weights.md of btcv_segmentation lists."
    window = getattr(getattr(network, "swinViT", None), "window_size", None)
    weights = read_weights(pretrained, remedy, window)
    start_from(network, weights, trained_with, allow_partial, inflate_input, allow_other_merging)


def start_from(
    network: nn.Module,
    weights: Weights,
    trained_with: Mapping[str, Any] | None = None,
    allow_partial: bool = False,
    inflate_input: bool = False,
    allow_other_merging: bool = False,
) -> None:
    """Starts a network from weights that have been read, as `load_pretrained` does from a file."""
    network_tensors, file_tensors = network.state_dict(), weights.tensors
    if inflate_input:
        file_tensors = repeat_input_channel(file_tensors, network_tensors)
    check_encoder(
        weights.path,
        file_tensors,
        network_tensors,
        allow_partial,
        lacking=weights.lacking,
        is_pretraining=objective.is_of_pretraining(trained_with),
    )
    candidates = matching.with_positions(file_tensors, network_tensors)
    fitting = matching.select_fitting(candidates, network_tensors)
    merging, merging_words = _decide_merging(weights, network, allow_other_merging)
    tensors = {**network_tensors, **fitting}
    load_state(network, preprocessing_note.with_metadata(tensors, None, merging))
    first_merging = (weights.trained_with or {}).get(STARTED_FROM, weights.evidence.merging)
    if first_merging not in (None, merging):
        preprocessing_note.attach_metadata(network, {STARTED_FROM: first_merging})
    counts = matching.describe_counts(fitting, network_tensors)
    from_scratch = matching.parts_from_scratch(fitting, network_tensors, weights.lacking)
    left_out = matching.describe_left_out(file_tensors, network_tensors)
    preprocessing = preprocessing_note.describe_agreement(weights.trained_with, trained_with)
    training = objective.describe_training(weights.trained_with or {})
    logger.info(
        f"weights: {counts} from {weights.path} ({weights.layout}; "
        + (f"{training}; " if training else "")
        + f"{merging_words}; {preprocessing})"
        + (f"; {from_scratch} from scratch" if from_scratch else "")
        + (f"; left out: {left_out}" if left_out else "")
        + ("; the one input channel repeated" if file_tensors is not weights.tensors else "")
        + ("; the encoder is frozen" if is_frozen(network) else "")
    )


def _start_from_scratch(network: nn.Module) -> None:
    """Sets the patch merging of a network that gets no weights, and reports it."""
    asked = asked_merging(network)
    set_merging(network, CURRENT if asked == AUTO else asked)
    merging = f"patch merging {merging_of(network)}"
    if not started_from_shell():  # MONAI Label lets a handler of the trainer load them, after this
        logger.info(f"weights: those that the server loads, or else from scratch, {merging}")
        return
    logger.info(f"weights: from scratch, {merging} (--pretrained gives an encoder to start from)")
