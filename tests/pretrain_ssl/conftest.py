"""The scripts of this bundle, and the sentence of a refusal."""

import importlib
from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture
def scripts(load_scripts):
    return load_scripts("pretrain_ssl")


@pytest.fixture
def refusal(scripts):
    """`with refusal("a.nii"):` the body raises an InputError whose sentence names it."""
    return lambda words: pytest.raises(scripts.command_line.InputError, match=words)


@pytest.fixture
def curation(scripts) -> Callable[[str], ModuleType]:
    """`curation("grid")` is that module of `scripts.curation`."""
    return lambda name: importlib.import_module(f"scripts.curation.{name}")
