"""The scripts of this bundle, and the sentence of a refusal."""

import pytest


@pytest.fixture
def scripts(load_scripts):
    return load_scripts("btcv_segmentation")


@pytest.fixture
def refusal(scripts):
    """`with refusal("a.nii"):` the body raises an InputError whose sentence names it."""
    return lambda words: pytest.raises(scripts.command_line.InputError, match=words)
