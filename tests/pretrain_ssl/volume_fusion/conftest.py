"""The objective of volume fusion."""

import importlib
from types import ModuleType

import pytest


@pytest.fixture
def fusion(scripts) -> ModuleType:
    """`scripts.objectives.volume_fusion`: its modules are `fusion.crops` and so on."""
    return importlib.import_module("scripts.objectives.volume_fusion")


@pytest.fixture
def settings(fusion):
    """Those of the overlay."""
    return fusion.FusionSettings(levels=4, foreground_ratio=0.7, blocks_per_axis=[3, 12])
