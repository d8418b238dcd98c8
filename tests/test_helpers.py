"""The fixtures: two bundles in one process, each with its own `scripts`."""

import sys

from helpers import BUNDLES


def test_each_bundle_gets_its_own_scripts(load_scripts):
    first, second = load_scripts("pretrain_ssl"), load_scripts("btcv_segmentation")
    assert first.__file__ == str(BUNDLES / "pretrain_ssl/scripts/__init__.py")
    assert second.__file__ == str(BUNDLES / "btcv_segmentation/scripts/__init__.py")
    assert sys.modules["scripts.transfer"] is second.transfer is not first.transfer


def test_no_scripts_are_left_behind():
    assert not any(name.split(".")[0] == "scripts" for name in sys.modules)
    assert not any(str(BUNDLES) in entry for entry in sys.path)
