# generated from common/weights/load.py, do not edit: `make copies`
"""Weights between files and networks: exact, reported, and refused when anything is missing."""

import logging
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..errors import InputError
from ..network.encoder import is_frozen
from ..network.patch_merging import AUTO, CURRENT, asked_merging, merging_of, set_merging
from . import find_merging, matching, preprocessing_note
from .architecture import PATCH, architecture, describe_mismatch
from .layouts import Weights, read_weights

logger = logging.getLogger(__name__)


def network_state(
    path: str,
    network: nn.Module,
    trained_with: Mapping[str, Any] | None = None,
    allow_other_merging: bool = False,
) -> dict[str, Tensor]:
    """A file's tensors for a whole network, by its names: each is there, fits, and is wanted.

    Args:
        path: a file of any layout (see `layouts`) that holds a whole network.
        network: the bare network; it stays as it is.
        trained_with: spacing and intensity range of this run, which those that the file carries
            must equal (see `preprocessing_note`); None compares nothing.
        allow_other_merging: see `find_merging.decide`.

    Returns:
        The tensors, with the patch merging by which to run them in their note.

    Raises:
        InputError: the file cannot be used (see `layouts.read_weights`), does not fit, was trained
            with another spacing or intensity range, or see `find_merging.decide`.
    """
    remedy = "train first (configs/train.json), or give your own by --ckpt_path."
    weights, own = read_weights(path, remedy), network.state_dict()
    shapes = describe_mismatch(architecture(weights.tensors), architecture(own), is_whole=True)
    if shapes:
        raise InputError(f"{path} {shapes}")
    state = matching.with_positions(weights.tensors, own)
    problem = matching.describe_mismatch(state, own)
    if problem:
        raise InputError(f"{path} does not fit this network: {problem}; {remedy}")
    if trained_with and weights.trained_with:
        other = preprocessing_note.describe_mismatch(weights.trained_with, trained_with)
        if other:
            raise InputError(
                f"{path} was trained with {other}; give the settings of its training, or other "
                "weights by --ckpt_path."
            )
    merging, in_words = _decided(weights, network, allow_other_merging)
    left_out = matching.left_out(weights.tensors, own)
    told = preprocessing_note.describe_agreement(weights.trained_with, trained_with)
    logger.info(
        f"weights: {len(own)} of {len(own)} tensors from {path} ({weights.layout}; {in_words}; "
        f"{told})" + (f"; left out: {left_out}" if left_out else "")
    )
    return preprocessing_note.with_metadata(
        {name: state[name] for name in own}, weights.trained_with, merging
    )


def load_state(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load what `network_state` returns, and run the network by the patch merging in its note."""
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
    """Load a whole network for evaluation or inference, and say so in one line.

    Raises:
        InputError: see `network_state`.
    """
    load_state(network, network_state(ckpt_path, network, trained_with, allow_other_merging))


def _decided(
    weights: Weights, network: nn.Module, allow_other_merging: bool
) -> tuple[str | None, str]:
    """The patch merging to run weights by, and the words that say why; None where there is none.

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
) -> None:
    """Start a training from an encoder, or from a whole network, and say what came from where.

    All tensors of the encoder must be there and fit. Those of the rest are taken where the file has
    them in the same shape, so that another number of classes keeps all but the last layer.

    Args:
        network: `SwinUNETR`, or any network with a `swinViT`; the bare one.
        pretrained: a file of any layout (see `layouts`); None or "" starts from scratch.
        trained_with: spacing and intensity range of this run; where the file's own differ, the line
            says so.
        allow_partial: take what fits of an encoder that is not this network's, and say how much.
        inflate_input: see `load.inflated`.
        allow_other_merging: see `find_merging.decide`.

    Raises:
        InputError: see `layouts.read_weights` and `find_merging.decide`; or the file does not
            hold this network's encoder.
    """
    frozen = is_frozen(network)
    if not pretrained:
        if frozen:
            raise InputError("--encoder_lr_scale 0 keeps the encoder as it is; give --pretrained.")
        asked = asked_merging(network)
        set_merging(network, CURRENT if asked == AUTO else asked)
        logger.info(
            f"weights: from scratch, patch merging {merging_of(network)} (--pretrained gives an "
            "encoder to start from)"
        )
        return
    remedy = "give weights by --pretrained that docs/weights.md of btcv_segmentation lists."
    weights, own = read_weights(pretrained, remedy), network.state_dict()
    given = inflated(weights.tensors, own) if inflate_input else weights.tensors
    _check_encoder(pretrained, given, own, allow_partial)
    taken = matching.fitting(matching.with_positions(given, own), own)
    merging, in_words = _decided(weights, network, allow_other_merging)
    load_state(network, preprocessing_note.with_metadata({**own, **taken}, None, merging))
    first = (weights.trained_with or {}).get(
        preprocessing_note.STARTED_FROM, weights.evidence.merging
    )
    if first not in (None, merging):
        preprocessing_note.attach_metadata(network, {preprocessing_note.STARTED_FROM: first})
    scratch, left_out = matching.from_scratch(taken, own), matching.left_out(given, own)
    told = preprocessing_note.describe_agreement(weights.trained_with, trained_with)
    logger.info(
        f"weights: {matching.counts(taken, own)} from {pretrained} ({weights.layout}; {in_words}; "
        f"{told})"
        + (f"; {scratch} from scratch" if scratch else "")
        + (f"; left out: {left_out}" if left_out else "")
        + ("; the one input channel repeated" if given is not weights.tensors else "")
        + ("; the encoder is frozen" if frozen else "")
    )


def _check_encoder(
    path: str, given: Mapping[str, Tensor], own: Mapping[str, Tensor], allow_partial: bool
) -> None:
    """Refuse an encoder that is not the network's, a part of it unless that is asked for.

    Of another feature size only the tables of positions would fit, which is no transfer.

    Raises:
        InputError: as above.
    """
    theirs, ours = architecture(given), architecture(own)
    shapes = describe_mismatch(theirs, ours, is_whole=False)
    if shapes and (not allow_partial or theirs.feature_size not in (None, ours.feature_size)):
        raise InputError(f"{path} {shapes}")
    encoder = matching.encoder_of(own)
    found = matching.encoder_of(matching.with_positions(given, own))
    if allow_partial and not matching.learnt(matching.fitting(given, encoder)):
        raise InputError(f"{path} has no tensor that fits this network's encoder; give another.")
    problem = matching.describe_mismatch(found, encoder)
    if problem and (not allow_partial or matching.moved(found, encoder)):
        raise InputError(
            f"{path} does not hold this network's encoder: {problem}; "
            "--allow_partial True takes what fits, or give other weights."
        )


# Layers that see the image: the encoder's, and the two of the decoder's first skip connection.
INPUT_LAYERS = (PATCH, "encoder1.layer.conv1.conv.weight", "encoder1.layer.conv3.conv.weight")


def inflated(given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Weights of the one input channel, repeated over the network's and divided by their number.

    So equal channels give what the one channel gave. Where the network has no more channels than
    the file, `given` itself is returned.

    Args:
        given: a file's tensors by SwinUNETR's names.
        own: the network's.
    """
    shared = {
        name: given[name].expand(own[name].shape) / own[name].shape[1]
        for name in INPUT_LAYERS
        if name in given and name in own
        if given[name].shape[1] == 1 < own[name].shape[1]
        if given[name].shape[0] == own[name].shape[0]
    }
    return {**given, **shared} if shared else given
