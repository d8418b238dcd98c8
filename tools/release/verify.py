"""Verifies bundles: folders or zips, one line for each check."""

import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from common.errors import InputError

from . import checks
from .archive import unpack
from .checks import Bundle, NotCheckedError

QUICK = {
    "required files": checks.required_files,
    "only its files": checks.only_its_files,
    "no absolute path": checks.absolute_paths,
    "version in changelog": checks.version_in_changelog,
    "zip is listed": checks.zip_is_listed,
    "metadata agrees": checks.metadata_agrees,
    "files of the pages": checks.readme_files,
    "packages named": checks.packages,
}


def verify(*paths: Path, schema: str | None = None, quick: bool = False) -> None:
    """Verifies bundles, and exits with 1 where one has a fault; every fault is listed.

    Args:
        paths: folders or zips of bundles.
        schema: file of MONAI's schema of metadata; by default the one that the metadata names is
            downloaded, and without a network the result says that it was not checked.
        quick: leaves out what takes seconds: components, properties, the network's shapes.

    Raises:
        InputError: a path is missing, or is no folder or zip of a bundle.
    """
    if not paths:
        raise InputError("give the folder or zip of a bundle, such as dist/*.zip.")
    if schema and not Path(schema).is_file():
        raise InputError(f"{schema} does not exist; give the file of the schema.")
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} does not exist; give the folder or zip of a bundle.")
    failed = 0
    for path in paths:
        with tempfile.TemporaryDirectory() as temporary:
            bundle = open_bundle(path, Path(temporary))
            for name, faults, reason in results(bundle, schema, quick):
                failed += bool(faults)
                print(line(path, name, faults, reason), flush=True)
    if failed:
        sys.exit(f"{failed} checks failed")


def open_bundle(path: Path, temporary: Path) -> Bundle:
    """Returns the bundle of a folder, or of a zip, which is unpacked."""
    if path.is_dir():
        return Bundle(path.resolve())
    folder, links = unpack(path, temporary)
    name, mark, version = path.stem.rpartition("_v")
    bundle = Bundle(folder, path, version if mark else "none", links)
    if name != folder.name:
        bundle.links.append(f"{folder.name}, the zip's folder, has not the zip's name; it")
    return bundle


def results(
    bundle: Bundle, schema: str | None, quick: bool
) -> Iterator[tuple[str, list[str], str]]:
    """Yields name, faults and, where it was not made, the reason of each check."""
    # they import torch, for which a mistyped path need not wait
    from . import monai_checks, weights

    table = QUICK | {"schema": partial(monai_checks.schema, file=schema)}
    if not quick:
        table |= {
            "components exist": monai_checks.targets,
            "network's shapes": monai_checks.network_shapes,
            "weights": weights.weights_fit,
            "properties": monai_checks.properties,
        }
    for name, check in table.items():
        try:
            yield name, check(bundle), ""
        except NotCheckedError as reason:
            yield name, [], str(reason)
        except (OSError, KeyError, ValueError) as error:  # a file is missing or unreadable
            yield name, [f"{type(error).__name__}: {error}"], ""


def line(path: Path, name: str, faults: list[str], reason: str) -> str:
    """Formats one result."""
    if reason:
        return f"{path.name}: {name}: not checked: {reason}"
    if not faults:
        return f"{path.name}: {name}: ok"
    return f"{path.name}: {name}: FAILED: {'; '.join(faults)}"
