"""The fixtures: two bundles in one process, each with its own `scripts`."""

import importlib
import sys

from helpers import BUNDLES, import_scripts


def test_each_bundle_gets_its_own_scripts():
    found = []
    for bundle in ("pretrain_ssl", "btcv_segmentation"):
        scripts = import_scripts(bundle)
        load = importlib.import_module("scripts.common.weights.load")
        assert scripts.__file__ == str(BUNDLES / bundle / "scripts/__init__.py")
        assert load.__file__ == str(BUNDLES / bundle / "scripts/common/weights/load.py")
        found.append(load)
    assert sys.modules["scripts.common.weights.load"] is found[1] is not found[0]


def test_no_scripts_are_left_behind():
    assert not any(name.split(".")[0] == "scripts" for name in sys.modules)
    assert not any(str(BUNDLES) in entry for entry in sys.path)
