"""Checks a bundle's files: each check returns the faults that it finds, in short sentences."""

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from .archive import checksum
from .files import BELONGS, REQUIRED, SUMS
from .packages import missing_packages
from .pages import read_checksums

# Where the pages and configs have an example of a user's folder.
EXAMPLE = "/data"
HOME = re.compile(r"(?<![\w.~/-])(?:/(?:home|Users|root|work|tmp|mnt)/[\w.-]+|[A-Z]:\\\\?\w+)")


class NotCheckedError(Exception):
    """Says why a check could not be made."""


@dataclass
class Bundle:
    """Holds what the checks of one bundle read."""

    folder: Path
    zip: Path | None = None  # which it was unpacked from
    version: str | None = None  # in the name of its zip
    links: list[str] = field(default_factory=list)  # in its zip

    @cached_property
    def metadata(self) -> dict[str, Any]:
        return self.config("metadata")

    def config(self, name: str) -> dict[str, Any]:
        """Reads a config by its name without ending."""
        return json.loads((self.folder / f"configs/{name}.json").read_text())

    def texts(self, *patterns: str) -> dict[str, str]:
        """Reads the text files of some patterns, by name."""
        paths = [path for pattern in patterns for path in sorted(self.folder.glob(pattern))]
        files = [path for path in paths if path.is_file()]
        return {path.relative_to(self.folder).as_posix(): path.read_text() for path in files}


def required_files(bundle: Bundle) -> list[str]:
    """Lists files without which it is no bundle."""
    return [f"{name} is missing" for name in REQUIRED if not (bundle.folder / name).is_file()]


def only_its_files(bundle: Bundle) -> list[str]:
    """Lists links, caches, what runs leave, and files that belong to no bundle."""
    faults = [f"{name} is a link" for name in bundle.links]
    for path in sorted(bundle.folder.rglob("*")):
        name = path.relative_to(bundle.folder).as_posix()
        if path.is_symlink():
            faults.append(f"{name} is a link")
        elif path.name == "__pycache__":
            faults.append(f"{name} is a cache")
        elif path.is_file() and path.parent.name != "__pycache__" and not BELONGS.fullmatch(name):
            faults.append(f"{name} does not belong to a bundle")
    return faults


def absolute_paths(bundle: Bundle) -> list[str]:
    """Lists paths of somebody's machine; /data/… is an example of the user's folder."""
    faults = []
    for name, text in bundle.texts("configs/**/*.json").items():
        for value in _strings(json.loads(text)):
            if value.startswith("/") and not value.startswith(f"{EXAMPLE}/"):
                faults.append(f"{name} has the path {value}")
    for name, text in bundle.texts("scripts/**/*.py", "configs/**/*", "docs/**/*.md").items():
        faults += [f"{name} has the path {path}" for path in HOME.findall(text)]
    return list(dict.fromkeys(faults))


def version_in_changelog(bundle: Bundle) -> list[str]:
    """Compares the metadata's version with its changelog and with the name of the zip."""
    version, faults = bundle.metadata.get("version"), []
    if version not in bundle.metadata.get("changelog", {}):
        faults.append(f"the changelog has no entry for {version}")
    if bundle.version not in (None, version):
        faults.append(f"the zip's name says {bundle.version}, its metadata {version}")
    return faults


def zip_is_listed(bundle: Bundle) -> list[str]:
    """Compares a zip with `SHA256SUMS` and `model_info.json` beside it.

    Raises:
        NotCheckedError: it is a folder, or a zip alone.
    """
    if bundle.zip is None:
        raise NotCheckedError("this is a folder")
    sums, index = (bundle.zip.with_name(name) for name in (SUMS, "model_info.json"))
    if not sums.is_file():
        raise NotCheckedError(f"there is no {SUMS} beside it")
    listed = read_checksums(sums)
    faults = _compare(SUMS, listed.get(bundle.zip.name), checksum(bundle.zip))
    if index.is_file():
        entry = json.loads(index.read_text()).get(bundle.zip.stem, {})
        faults += _compare(index.name, entry.get("checksum"), checksum(bundle.zip, "sha1"))
        if entry and entry["source"].rpartition("/")[2] != bundle.zip.name:
            faults.append(f"{index.name} has the address {entry['source']}")
    return faults


def _compare(name: str, listed: str | None, digits: str) -> list[str]:
    if listed is None:
        return [f"{name} does not list it"]
    return [] if listed == digits else [f"{name} has the checksum of another file"]


def metadata_agrees(bundle: Bundle) -> list[str]:
    """Compares labels, channels and size of crops in the metadata with those of the configs."""
    data = bundle.metadata["network_data_format"]
    image, scores = data["inputs"]["image"], data["outputs"]["pred"]
    config, faults = bundle.config("inference"), []
    for key, value in (("patch_size", "spatial_shape"), ("channels", "num_channels")):
        if key in config and config[key] != image[value]:
            faults.append(
                f"{value} of configs/metadata.json is {image[value]}, {key} of "
                f"configs/inference.json {config[key]}"
            )
    for name in ("train", "inference"):
        labels = bundle.config(name).get("labels")
        if labels is not None and labels != scores["channel_def"]:
            faults.append(f"labels of configs/{name}.json are not those of configs/metadata.json")
    if scores["num_channels"] != len(scores["channel_def"]):
        faults.append(f"{scores['num_channels']} channels and {len(scores['channel_def'])} labels")
    return faults


def readme_files(bundle: Bundle) -> list[str]:
    """Lists files that the pages link to, or that their commands run, and that are not there."""
    faults = []
    for name, text in bundle.texts("docs/*.md").items():
        links = re.findall(r"\]\((?!\w+:|#)([^)#]+)[^)]*\)", text)
        paths = [(bundle.folder / name).parent / link for link in links]
        for line in re.findall(r"^.*monai\.bundle run.*$", text, re.M):
            paths += [bundle.folder / file for file in re.findall(r"configs/[\w/]+\.json", line)]
        faults += [
            f"{name} names {path.name}"
            for path in paths
            if not path.exists() and not _is_users(path.name)
        ]
    return list(dict.fromkeys(faults))


def packages(bundle: Bundle) -> list[str]:
    """Lists imported packages that the metadata does not require."""
    return missing_packages(bundle.folder, bundle.metadata)


def _is_users(name: str) -> bool:
    """Tells whether a page has the user write this file first, as docs/own_data.md does."""
    return name in ("my_labels.json", "crop_mean.json")


def _strings(node: Any) -> list[str]:
    """Lists the strings anywhere in parsed JSON."""
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        return [text for each in node for text in _strings(each)]
    return [node] if isinstance(node, str) else []
