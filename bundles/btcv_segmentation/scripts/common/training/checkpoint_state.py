# generated from common/training/checkpoint_state.py, do not edit: `make copies`
"""Collects the state that the next iteration of a training depends on, and restores it."""

import logging
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine

from ..errors import InputError
from ..network.patch_merging import merging_of
from ..weights.preprocessing_note import add_to_note, merging_in
from ..weights.training_images import digest_images
from .data_digest import digest_data

logger = logging.getLogger(__name__)


def keep_state(engine: Engine, name: str, part: Any) -> None:
    """Adds a part to every checkpoint of an engine's training, such as a momentum teacher.

    A handler calls it when it is attached.

    Args:
        engine: the trainer.
        name: of the part in the checkpoint's file.
        part: has `state_dict` and `load_state_dict`, in types that `weights_only` loads.
    """
    vars(engine).setdefault("further_parts", {})[name] = part


def further_parts(engine: Engine) -> dict[str, Any]:
    """Returns the parts that `keep_state` has added."""
    return vars(engine).get("further_parts", {})


def training_state(
    engine: Engine, evaluator: Engine, network: torch.nn.Module, others: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the state after the engine's last iteration, in types that `weights_only` loads.

    Args:
        engine: the trainer; its data loader has `samplers.ResumableBatchSampler`.
        evaluator: the validation's engine, for the best metric so far.
        network: the bare network, not its DDP wrapper.
        others: more objects with a state, by name: optimizer, scheduler.
    """
    network_state = network.state_dict()
    add_to_note(network_state, iterations=engine.state.iteration)
    found = {
        "network": network_state,
        **{name: other.state_dict() for name, other in others.items()},
        "iteration": engine.state.iteration,
        "engine": {key: getattr(engine.state, key) for key in engine.state_dict_user_keys},
        "batches": engine.data_loader.batch_sampler.state_dict(),
        "validation": {
            "epoch": evaluator.state.epoch,
            "best_metric": float(evaluator.state.best_metric),
            "best_metric_epoch": evaluator.state.best_metric_epoch,
        },
    }
    return found | ({"scaler": engine.scaler.state_dict()} if engine.scaler else {})


def restore(
    state: Mapping[str, Any],
    engine: Engine,
    evaluator: Engine,
    network: torch.nn.Module,
    others: Mapping[str, Any],
) -> None:
    """Restores the state that `training_state` returned.

    Raises:
        InputError: the run had other data, another batch, another number of processes, or another
            patch merging.
    """
    batches = engine.data_loader.batch_sampler
    batches.load_state_dict(state["batches"])
    batches.start = engine.state.iteration = state["iteration"]
    engine.state.epoch = state["iteration"] // engine.state.epoch_length
    _check_merging(state["network"], network)
    network.load_state_dict(state["network"])
    for name, other in others.items():
        other.load_state_dict(state[name])
    if engine.scaler and "scaler" in state:
        engine.scaler.load_state_dict(state["scaler"])
    for target, values in [(engine, state["engine"]), (evaluator, state["validation"])]:
        for key, value in values.items():
            setattr(target.state, key, value)


def digests(engine: Engine, evaluator: Engine) -> dict[str, str | None]:
    """Returns digests of the lists of images, of training and validation; see `digest_data`."""
    engines = {"training": engine, "validation": evaluator}
    return {name: digest_data(one.data_loader) for name, one in engines.items()}


def labelled_images(engine: Engine) -> list[str]:
    """Returns a digest of each labelled image that an engine trains on, for the weights' note."""
    return digest_images(getattr(getattr(engine.data_loader, "dataset", None), "data", None) or [])


def check_data(state: Mapping[str, Any], data: Mapping[str, str | None], path: str | Path) -> None:
    """Refuses to resume with other images, even if their number is the same.

    Args:
        state: of the checkpoint.
        data: `digests` of this run.
        path: of the checkpoint, for the sentence.

    Raises:
        InputError: a list of images is not that of the run.
    """
    if "data" not in state:
        logger.warning(f"{path} does not tell which images it was trained on; none are compared")
        return
    for name, digest in state["data"].items():
        if digest is not None and data.get(name) is not None and digest != data[name]:
            raise InputError(
                f"the {name} images are others, in name, size or order, than those that {path} "
                "was trained on; give back the earlier ones, or another --run_name to begin anew."
            )


def _check_merging(state: Mapping[str, torch.Tensor], network: torch.nn.Module) -> None:
    """Refuses to resume with another patch merging: it changes the function, but no tensor."""
    before, now = merging_in(state), merging_of(network)
    if before not in (None, now):
        raise InputError(
            f"the run was begun with patch merging {before}, and this command has {now}, from "
            "--merging or --pretrained; give what it was begun with, or another --run_name."
        )


def random_state() -> dict[str, Any]:
    """Returns the random states of Python, NumPy and PyTorch as `weights_only` can load them."""
    kind, words, *rest = np.random.get_state()
    numpy = (kind, torch.from_numpy(words.astype(np.int64)), *rest)
    found = {"python": random.getstate(), "numpy": numpy, "torch": torch.get_rng_state()}
    return found | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def set_random_state(state: Mapping[str, Any]) -> None:
    """Restores the random states that `random_state` returned."""
    kind, words, *rest = state["numpy"]
    np.random.set_state((kind, words.numpy().astype(np.uint32), *rest))
    random.setstate(state["python"])
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
