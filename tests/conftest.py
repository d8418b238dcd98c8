"""Fixtures of all tests: one thread, fixed seeds, one bundle's `scripts` at a time."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import random
from collections.abc import Callable, Iterator
from types import ModuleType

import numpy as np
import pytest
import torch
from helpers import import_scripts, loggers_restored, scripts_restored

pytest_plugins = ["bundle_runs"]

torch.set_num_threads(1)


# Files that take a minute or more: begun first, so that both processes of `make test` end together.
LONG = (
    *("test_resume.py", "test_corpus_prepare.py", "test_btcv_runs.py", "test_pretrain_runs.py"),
    *("test_msd_runs.py", "test_fast_attention.py", "test_task_bundle.py", "test_bad_input.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the long files first; the order within a file stays."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Whatever a test imports as `scripts` is gone when it ends; logging is as it was."""
    with scripts_restored(), loggers_restored():
        yield


@pytest.fixture
def load_scripts() -> Callable[[str], ModuleType]:
    """`load_scripts("pretrain_ssl")` is that bundle's `scripts`; the last one loaded counts."""
    return import_scripts
