"""The fixtures: two bundles in one process, each with its own `scripts`; logging as it was."""

import importlib
import logging
import logging.config
import sys

from helpers import BUNDLES, import_scripts, loggers_restored, scripts_restored


def test_each_bundle_gets_its_own_scripts():
    found = []
    for bundle in ("pretrain_ssl", "btcv_segmentation"):
        scripts = import_scripts(bundle)
        load = importlib.import_module("scripts.common.weights.load")
        assert scripts.__file__ == str(BUNDLES / bundle / "scripts/__init__.py")
        assert load.__file__ == str(BUNDLES / bundle / "scripts/common/weights/load.py")
        found.append(load)
    assert sys.modules["scripts.common.weights.load"] is found[1] is not found[0]


def test_every_test_leaves_no_scripts_behind(request):
    assert "nothing_left" in request.fixturenames
    with scripts_restored():
        import_scripts("pretrain_ssl")
        assert are_there()
    assert not are_there()


def test_a_bundles_logging_ends_with_the_test():
    root, ignite = logging.getLogger(), logging.getLogger("ignite")
    before = root.level, root.handlers.copy(), ignite.level
    with loggers_restored():
        for bundle in ("pretrain_ssl", "btcv_segmentation"):
            path = BUNDLES / bundle / "configs/logging.conf"
            logging.config.fileConfig(path, disable_existing_loggers=False)
        assert (root.level, ignite.level) == (logging.INFO, logging.WARNING)
        assert root.handlers != before[1]
    assert (root.level, root.handlers, ignite.level) == before


def are_there() -> bool:
    """Whether a bundle's `scripts` is imported, or a bundle on the path."""
    is_imported = any(name.split(".")[0] == "scripts" for name in sys.modules)
    return is_imported or any(str(BUNDLES) in entry for entry in sys.path)
