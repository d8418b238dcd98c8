"""The scripts of this bundle, and the sentence of a refusal."""

import importlib

import pytest
from helpers import import_scripts


@pytest.fixture
def scripts():
    return import_scripts("btcv_segmentation")


@pytest.fixture
def refusal(scripts):
    """`with refusal("a.nii"):` the body raises an InputError whose sentence names it."""
    error = importlib.import_module("scripts.common.errors").InputError
    return lambda words: pytest.raises(error, match=words)
