"""Collects the state that the next iteration of a training depends on, and restores it."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine

from ..errors import InputError
from ..network.patch_merging import merging_of
from ..runtime.distributed import rank
from ..weights.preprocessing_note import add_to_note, merging_in
from ..weights.training_images import digest_images
from .data_digest import digest_data
from .gradient_clipping import precision, restore_scale
from .random_state import random_state

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


def rank_state(engine: Engine) -> dict[str, Any]:
    """Returns the state that each rank has for itself: random numbers, and sums of metrics."""
    values = {key: getattr(engine.state, key) for key in engine.state_dict_user_keys}
    return {"random": random_state(), "engine": _on_cpu(values)}


def _on_cpu(value: Any) -> Any:
    """Moves the tensors of nested dictionaries to the CPU, as another rank has not this GPU."""
    if isinstance(value, Mapping):
        return {name: _on_cpu(part) for name, part in value.items()}
    return value.cpu() if isinstance(value, torch.Tensor) else value


def training_state(
    engine: Engine,
    evaluator: Engine,
    network: torch.nn.Module,
    others: Mapping[str, Any],
    ranks: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Returns the state after the engine's last iteration, in types that `weights_only` loads.

    Args:
        engine: the trainer; its data loader has `samplers.ResumableBatchSampler`.
        evaluator: the validation's engine, for the best metric so far.
        network: the bare network, not its DDP wrapper.
        others: more objects with a state, by name: optimizer, scheduler.
        ranks: `rank_state` of each process, in the order of their ranks.
    """
    network_state = network.state_dict()
    add_to_note(network_state, iterations=engine.state.iteration)
    found = {
        "network": network_state,
        **{name: other.state_dict() for name, other in others.items()},
        "iteration": engine.state.iteration,
        "precision": precision(engine),
        **{key: [state[key] for state in ranks] for key in ("random", "engine")},
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
    restore_scale(state, engine)
    of_ranks = state["engine"]
    own = of_ranks[rank()] if isinstance(of_ranks, list) else of_ranks  # of rank 0, an older one
    for target, values in [(engine, own), (evaluator, state["validation"])]:
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
