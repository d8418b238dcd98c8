# generated from common/weights/pretrained.py, do not edit: `make copies`
"""Starts trainings from pre-trained weights: what fits of a file, reported part by part."""

import logging
from collections.abc import Mapping
from typing import Any

from torch import nn

from ..cli.command_line import started_from_shell
from ..errors import InputError
from ..network.encoder import is_frozen
from ..network.patch_merging import AUTO, CURRENT, asked_merging, merging_of, set_merging
from . import matching, objective, preprocessing_note, task_note
from .check_fit import check_encoder
from .inflate import repeat_input_channel
from .layouts import Weights, read_weights
from .load import decide_merging, load_state
from .preprocessing_note import STARTED_FROM
from .training_images import KEY as IMAGES

logger = logging.getLogger(__name__)


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
    keeps all but the last layer. So do other labels, where the notes of file and run tell them.

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
    note = weights.trained_with or {}
    other_labels = task_note.describe_other_labels(note, trained_with or {})
    of_others = [name for name in fitting if other_labels and name.startswith(matching.LAST_LAYER)]
    fitting = {name: value for name, value in fitting.items() if name not in of_others}
    merging, merging_words = decide_merging(weights, network, allow_other_merging)
    tensors = {**network_tensors, **fitting}
    load_state(network, preprocessing_note.with_metadata(tensors, None, merging))
    first_merging, images = note.get(STARTED_FROM, weights.evidence.merging), note.get(IMAGES)
    past = {IMAGES: images} if images else {}
    if first_merging not in (None, merging):
        past[STARTED_FROM] = first_merging
    if past:
        preprocessing_note.attach_metadata(network, past)
    counts = matching.describe_counts(fitting, network_tensors)
    from_scratch = matching.parts_from_scratch(fitting, network_tensors, weights.lacking)
    reasons = [matching.describe_left_out(file_tensors, network_tensors)]
    if of_others:
        reasons.append(f"{len(of_others)} of the output layer, trained {other_labels}")
    left_out = ", ".join(filter(None, reasons))
    preprocessing = preprocessing_note.describe_agreement(weights.trained_with, trained_with)
    training = objective.describe_training(note)
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
