# generated from common/training/random_state.py, do not edit: `make copies`
"""Reads the random states of a process, and restores them where a training resumes."""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events


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


def restore_at_first_batch(engine: Engine, state: Mapping[str, Any]) -> None:
    """Restores random states just before an engine that starts loads its first batch.

    Not earlier: PyTorch draws a number whenever a data loader begins, which an uninterrupted run
    did once, at its start.

    Args:
        engine: calls this while it handles `STARTED`.
        state: of `random_state`, after the iteration that the run resumes behind.
    """

    def first_batch_started(engine: Engine) -> None:
        set_random_state(state)
        handle.remove()

    handle = engine.add_event_handler(Events.GET_BATCH_STARTED, first_batch_started)
