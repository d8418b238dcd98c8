"""The scripts of this bundle, and the sentence of a refusal."""

import importlib
from collections.abc import Callable
from types import ModuleType

import pytest
from helpers import import_scripts


@pytest.fixture
def scripts() -> ModuleType:
    return import_scripts("pretrain_ssl")


@pytest.fixture
def refusal(scripts):
    """`with refusal("a.nii"):` the body raises an InputError whose sentence names it."""
    error = importlib.import_module("scripts.common.errors").InputError
    return lambda words: pytest.raises(error, match=words)


@pytest.fixture
def objective(scripts) -> ModuleType:
    """The paper's objective: its modules are `objective.heads` and so on."""
    return importlib.import_module("scripts.objectives.rotation_contrast_inpainting")


@pytest.fixture
def base(scripts) -> ModuleType:
    """What all objectives share: `scripts.objectives.base`."""
    return importlib.import_module("scripts.objectives.base")


@pytest.fixture
def crops(scripts) -> ModuleType:
    """`scripts.crops`."""
    return importlib.import_module("scripts.crops")


@pytest.fixture
def corpus_module(scripts) -> Callable[[str], ModuleType]:
    """`corpus_module("resample")` is that module of `scripts.corpus`."""
    return lambda name: importlib.import_module(f"scripts.corpus.{name}")


@pytest.fixture
def dicom_module(scripts) -> Callable[[str], ModuleType]:
    """`dicom_module("volume")` is that module of `scripts.common.data.dicom`."""
    return lambda name: importlib.import_module(f"scripts.common.data.dicom.{name}")


@pytest.fixture
def embeddings(scripts) -> ModuleType:
    """`scripts.embeddings`."""
    return importlib.import_module("scripts.embeddings")


@pytest.fixture
def export(scripts) -> ModuleType:
    """`scripts.export`."""
    return importlib.import_module("scripts.export")
