"""What several tests need: where things are, small files, and a bundle's `scripts` package."""

import contextlib
import importlib
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
BUNDLES = ROOT / "bundles"


def write_nifti(path, array: np.ndarray, spacing_mm=(1.0, 1.0, 1.0), affine=None) -> str:
    """Write a volume; its affine is diagonal with the spacing unless one is given."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([*spacing_mm, 1.0]) if affine is None else affine
    nib.save(nib.Nifti1Image(array, affine), path)
    return str(path)


def write_in_two_files(path, array: np.ndarray | None = None) -> Path:
    """Write a header, .hdr, .mhd or .nhdr, and its voxels beside it; zeros unless given."""
    path = Path(path)
    array = np.zeros((8, 8, 8), np.int16) if array is None else array
    if path.suffix == ".hdr":
        nib.save(nib.Nifti1Pair(array, np.eye(4)), path)
        return path
    import SimpleITK

    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array.T), str(path))
    return path


def write_json(path, content) -> str:
    """Write JSON, folders included."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(content))
    return str(path)


def config_files(bundle: str, *names: str) -> list[str]:
    """Paths of config files of a bundle: `config_files("pretrain_ssl", "train", "demo")`."""
    return [str(BUNDLES / bundle / "configs" / f"{name}.json") for name in names]


def import_scripts(bundle: str) -> ModuleType:
    """Import the `scripts` package of a bundle anew; every bundle calls its package so."""
    forget_scripts()
    others = [entry for entry in sys.path if Path(entry).parent != BUNDLES]
    sys.path[:] = [str(BUNDLES / bundle), *others]
    return importlib.import_module("scripts")


@contextlib.contextmanager
def scripts_restored() -> Iterator[None]:
    """Whatever is imported as `scripts` meanwhile is gone at the end, and from `sys.path`."""
    path = sys.path.copy()
    try:
        yield
    finally:
        forget_scripts()
        sys.path[:] = path


@contextlib.contextmanager
def loggers_restored() -> Iterator[None]:
    """What a configuration of logging changes meanwhile is undone: handlers and levels."""
    loggers = [logging.getLogger(), logging.getLogger("ignite")]  # those of logging.conf
    before = [(logger, logger.handlers.copy(), logger.level) for logger in loggers]
    try:
        yield
    finally:
        for logger, handlers, level in before:
            logger.handlers[:] = handlers
            logger.setLevel(level)


def forget_scripts() -> None:
    """Drop every bundle's `scripts` from the imported modules."""
    for name in [name for name in sys.modules if name.split(".")[0] == "scripts"]:
        del sys.modules[name]
