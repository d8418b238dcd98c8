# generated from common/weights/check_fit.py, do not edit: `make copies`
"""Refuses weights that do not fit a network; the sentence says which tensors and why."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..errors import InputError
from . import matching, objective, preprocessing_note, task_note
from .architecture import describe_architecture_mismatch, read_architecture
from .layouts import Weights

Tensors = Mapping[str, Tensor]


def check_network(
    weights: Weights, network_tensors: Tensors, trained_with: Mapping[str, Any] | None, remedy: str
) -> None:
    """Refuses weights of another task, objective, network or preprocessing.

    Args:
        weights: the file's.
        network_tensors: the network's state dict; the file must have each of its tensors.
        trained_with: spacing, intensity range, task and objective of this run; None compares none.
        remedy: how to get weights; closes the sentence.

    Raises:
        InputError: a tensor is missing, unknown or of another shape, or the file's note has another
            task, labels, objective, spacing or intensity range.
    """
    note = weights.trained_with or {}
    check_purpose(weights.path, note, trained_with or {})
    path, of_network = weights.path, read_architecture(network_tensors)
    mismatch = describe_architecture_mismatch(
        read_architecture(weights.tensors),
        of_network,
        is_whole=True,
        is_pretraining=objective.is_of_pretraining(trained_with),
    )
    if mismatch:
        raise InputError(f"{path} {mismatch}")
    file_tensors = matching.with_positions(weights.tensors, network_tensors)
    problem = matching.describe_tensor_mismatch(file_tensors, network_tensors)
    if problem:
        raise InputError(f"{path} does not fit this network: {problem}; {remedy}")
    check_preprocessing(path, note, trained_with or {})


def check_purpose(path: str, of_file: Mapping[str, Any], of_run: Mapping[str, Any]) -> None:
    """Refuses a file whose note names another task, labels or objective than this run's.

    Args:
        path: the file, for the sentence.
        of_file, of_run: notes of `preprocessing_note`; what one of them lacks is not compared.

    Raises:
        InputError: as above.
    """
    other_task = task_note.describe_other_task(of_file, of_run)
    if other_task:
        raise InputError(
            f"{path} was trained {other_task}; give the config of its task, or other "
            "weights by --ckpt_path."
        )
    other_objective = objective.describe_other_objective(of_file, of_run)
    if other_objective:
        raise InputError(
            f"{path} was pre-trained {other_objective}, or give other weights by --ckpt_path."
        )


def check_preprocessing(path: str, of_file: Mapping[str, Any], of_run: Mapping[str, Any]) -> None:
    """Refuses a file whose note has another spacing or intensity range than this run.

    Args:
        path, of_file, of_run: see `check_purpose`.

    Raises:
        InputError: as above.
    """
    if not of_file or not of_run:
        return
    mismatch = preprocessing_note.describe_preprocessing_mismatch(of_file, of_run)
    if mismatch:
        raise InputError(
            f"{path} was trained with {mismatch}; give the settings of its training, or other "
            "weights by --ckpt_path."
        )


def check_encoder(
    path: str,
    file_tensors: Tensors,
    network_tensors: Tensors,
    allow_partial: bool,
    lacking: str = "",
    is_pretraining: bool = False,
) -> None:
    """Refuses an encoder that is not the network's, and a part of one without `allow_partial`.

    Of another feature size only the tables of positions would fit, which is no transfer.

    Args:
        path: the file, for the sentence.
        file_tensors, network_tensors: by SwinUNETR's names.
        allow_partial: accept an encoder of which some tensors fit.
        lacking: how the names of tensors begin that may be missing; see `layouts.Weights`.
        is_pretraining: see `describe_architecture_mismatch`.

    Raises:
        InputError: as above.
    """
    of_file, of_network = read_architecture(file_tensors), read_architecture(network_tensors)
    mismatch = describe_architecture_mismatch(
        of_file, of_network, is_whole=False, is_pretraining=is_pretraining
    )
    is_other_size = of_file.feature_size not in (None, of_network.feature_size)
    if mismatch and (not allow_partial or is_other_size):
        raise InputError(f"{path} {mismatch}")
    expected = {
        name: value
        for name, value in matching.encoder_of(network_tensors).items()
        if not lacking or not name.startswith(lacking) or name in file_tensors
    }
    encoder = matching.encoder_of(matching.with_positions(file_tensors, network_tensors))
    fitting = matching.select_fitting(file_tensors, expected)
    if allow_partial and not matching.learnt_names(fitting):
        raise InputError(f"{path} has no tensor that fits this network's encoder; give another.")
    problem = matching.describe_tensor_mismatch(encoder, expected)
    if problem and (not allow_partial or matching.moved_positions(encoder, expected)):
        raise InputError(
            f"{path} does not hold this network's encoder: {problem}; "
            "--allow_partial True takes what fits, or give other weights."
        )
