"""Checks a bundle by MONAI's own parts: schema, components, properties, the network's shapes."""

import contextlib
import importlib
import logging
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from pydoc import locate
from urllib.request import urlopen

import nibabel as nib
import numpy as np
from monai.bundle import ConfigWorkflow, verify_metadata, verify_net_in_out
from monai.bundle.config_item import ComponentLocator

from .checks import Bundle, NotCheckedError

SMALL = 12  # feature size of the checked network: shapes do not depend on it
CROP = [64, 32, 32]  # nor on the crop's; the least that the deepest level can normalise
CASES = 5  # enough for five folds
TIMEOUT_SECONDS = 30
SCHEMAS: dict[str, str | NotCheckedError] = {}  # by address, of this process


@contextlib.contextmanager
def scripts_of(folder: Path) -> Iterator[None]:
    """Makes `scripts` the package of one bundle, and afterwards what it was."""
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_script(name)}
    path, writes = sys.path.copy(), sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True  # a check leaves no cache in the bundle
    importlib.invalidate_caches()
    try:
        yield
    finally:
        for name in [name for name in sys.modules if _is_script(name)]:
            del sys.modules[name]
        sys.modules.update(before)
        sys.path[:], sys.dont_write_bytecode = path, writes


def _is_script(name: str) -> bool:
    return name.partition(".")[0] == "scripts"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what MONAI logs and prints off the list of results."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            contextlib.redirect_stdout(None),
            contextlib.redirect_stderr(None),
            warnings.catch_warnings(action="ignore"),
        ):
            yield
    finally:
        logging.disable(level)


def schema(bundle: Bundle, file: str | None = None) -> list[str]:
    """Validates the metadata against MONAI's schema.

    Args:
        bundle: the bundle.
        file: the schema; None downloads that of the metadata, once for all bundles.

    Raises:
        NotCheckedError: there is no network.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(file or Path(folder, "schema.json"))
        if not file:
            path.write_text(downloaded(bundle.metadata["schema"]))
        try:
            with quiet():
                verify_metadata(str(bundle.folder / "configs/metadata.json"), str(path))
        except ValueError as error:
            return [str(error).partition("\n")[0]]
    return []


def downloaded(url: str) -> str:
    """Returns the schema at an address; a second call gives the first one's result, or failure."""
    if url not in SCHEMAS:
        try:
            with urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
                SCHEMAS[url] = answer.read().decode()
        except OSError as error:  # URLError and timeouts are of it
            SCHEMAS[url] = NotCheckedError(
                f"{url} cannot be downloaded ({error}); give --schema FILE"
            )
    if isinstance(SCHEMAS[url], NotCheckedError):
        raise SCHEMAS[url]
    return SCHEMAS[url]


def targets(bundle: Bundle) -> list[str]:
    """Lists components and imports of the configs that do not exist."""
    texts = "".join(bundle.texts("configs/**/*.json").values())
    names = sorted({*re.findall(r'"_target_": "([\w.]+)"', texts)})
    modules = sorted({*re.findall(r'"\$import ([\w.]+)', texts)})
    faults = []
    with scripts_of(bundle.folder), quiet():
        for name in names:
            if not (locate(name) if "." in name else components().get_component_module_name(name)):
                faults.append(f"{name} does not exist")
        for module in modules:
            try:
                importlib.import_module(module)
            except ImportError as error:
                faults.append(f"{module} cannot be imported ({error})")
    return faults


@cache
def components() -> ComponentLocator:
    """Lists MONAI's own components, as a config's parser does; it takes a second."""
    return ComponentLocator(excludes=["modules_to_exclude"])


def network_shapes(bundle: Bundle) -> list[str]:
    """Runs a small network on a small crop, and compares channels and types with the metadata."""
    try:
        with scripts_of(bundle.folder), quiet():
            verify_net_in_out(
                "network_def",
                meta_file=str(bundle.folder / "configs/metadata.json"),
                config_file=str(bundle.folder / "configs/inference.json"),
                device="cpu",
                **small(bundle, "inference"),
                **{
                    "patch_size": CROP,
                    "_meta_::network_data_format::inputs::image::spatial_shape": CROP,
                },
            )
    except (ValueError, RuntimeError, KeyError) as error:
        return [str(error).partition("\n")[0]]
    return []


def properties(bundle: Bundle) -> list[str]:
    """Lists MONAI's properties of a bundle that its configs lack, on images of zeros."""
    faults = []
    with tempfile.TemporaryDirectory() as folder, scripts_of(bundle.folder):
        write_images(Path(folder), bundle.config("train").get("channels", 1))
        for name, kind in (("train", "train"), ("inference", "infer")):
            config = bundle.config(name)
            kept = {"num_workers": 0, "cache_gb": 0, "cache_rate": 0.0} if kind == "train" else {}
            try:
                with quiet():
                    workflow = ConfigWorkflow(
                        str(bundle.folder / f"configs/{name}.json"),
                        meta_file=str(bundle.folder / "configs/metadata.json"),
                        logging_file=False,
                        workflow_type=kind,
                        dataset_dir=folder,
                        bundle_root=str(Path(folder, "root")),
                        **{key: value for key, value in kept.items() if key in config},
                        **small(bundle, name),
                    )
                    workflow.initialize()
                    lacking = workflow.check_properties()
                    workflow.finalize()
                faults += [f"configs/{name}.json lacks {each}" for each in lacking or []]
            except Exception as error:  # whatever a wrong config makes a component raise
                faults.append(f"configs/{name}.json: {str(error).partition(chr(10))[0][:200]}")
    return faults


def small(bundle: Bundle, name: str) -> dict[str, int]:
    """Returns the override that makes a config's network small enough for seconds."""
    network = bundle.config(name)["network_def"]
    key = "encoder::embed_dim" if "encoder" in network else "feature_size"
    return {f"network_def::{key}": SMALL}


def write_images(folder: Path, channels: int) -> None:
    """Writes small images and labels of zeros, in the layout of a Decathlon task."""
    shape = (8, 8, 8, channels) if channels > 1 else (8, 8, 8)
    for part, array in (
        ("imagesTr", np.zeros(shape, np.int16)),
        ("labelsTr", np.zeros((8, 8, 8), np.uint8)),
    ):
        (folder / part).mkdir()
        for number in range(CASES):
            nib.save(nib.Nifti1Image(array, np.eye(4)), folder / part / f"a{number}.nii.gz")
