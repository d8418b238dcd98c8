# generated from common/weights/commands.py, do not edit: `make copies`
"""Inspects a file of weights, converts it to SwinUNETR's own layout, downloads public ones."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError

from monai.apps import download_url
from monai.apps.utils import HashCheckError
from monai.bundle import ConfigParser
from monai.networks.nets import SwinUNETR

from .. import BUNDLE
from ..atomic_write import check_writable, save_atomically
from ..errors import InputError
from ..network.patch_merging import AUTO, CURRENT, check_kind
from ..network.slice_order import MERGINGV2, in_current_order
from . import matching, objective, orientation, preprocessing_note, training_images
from .architecture import Architecture, describe, read_architecture
from .find_merging import decide, in_words
from .layouts import Weights, read_weights
from .onnx_note import add_note

REMEDY = "docs/weights.md of btcv_segmentation lists what is taken."


def inspect(file: str) -> str:
    """Describes a file of weights: layout, tensors, architecture, preprocessing of its training.

    Args:
        file: a checkpoint of any layout that docs/weights.md lists.

    Raises:
        InputError: see `layouts.read_weights`.
    """
    weights = read_weights(file, REMEDY)
    file_tensors, network = _add_positions(weights)
    note = weights.trained_with
    lines = {
        "layout": weights.layout,
        "encoder": _count_tensors("encoder", file_tensors, network),
        "decoder": _count_tensors("decoder", file_tensors, network),
        "others": _describe_others(weights, network) or "none",
        "architecture": describe(read_architecture(weights.tensors)),
        "merging": str(weights.evidence),
        "trained with": _join_words(preprocessing_note.describe(note or {}))
        or "nothing that it carries",
        "training": _describe_training(note or {}) or "nothing that it carries",
        "sha256": sha256(file),
    }
    return "\n".join([file, *(f"{name:14}{text}" for name, text in lines.items())])


def _describe_training(note: Mapping[str, Any]) -> str:
    """Describes a training: `24 labelled images, msd_orientation False`; empty where unknown."""
    current, older = training_images.split_by_version(note.get(training_images.KEY) or [])
    is_turned = note.get(orientation.KEY)
    words = [objective.describe_training(note)]
    words += [f"{len(current)} labelled images"] if current else []
    words += [f"{len(older)} labelled images by older digests"] if older else []
    words += [f"{orientation.KEY} {is_turned}"] if is_turned is not None else []
    return ", ".join(filter(None, words))


def convert(file: str, out: str, merging: str = AUTO) -> str:
    """Writes a file's encoder, and its decoder if it has one, as a plain state dict of SwinUNETR.

    The new file carries spacing and intensity range where the old one does, and always the patch
    merging, so that every program that loads it runs the function that was trained.

    Args:
        file: a checkpoint of any layout that docs/weights.md lists; it stays as it is.
        out: the file to write; replaced when it is there already.
        merging: how the file was trained, where it does not tell: current, legacy, or mergingv2,
            MONAI's option of that name, whose order is turned into the current one.

    Raises:
        InputError: see `layouts.read_weights`; `out` is the file itself or cannot be written; the
            file does not tell its patch merging, or tells another than `merging`.
    """
    if Path(out).resolve() == Path(file).resolve():
        raise InputError(f"{out} is the file to convert, which stays as it is; give another name.")
    check_writable(files=[out])
    weights = read_weights(file, REMEDY)
    if merging == "mergingv2":
        decide(CURRENT, weights.evidence, file)
        tensors = in_current_order(weights.tensors, MERGINGV2)
        weights, kind = replace(weights, tensors=tensors), CURRENT
    else:
        kind = decide(check_kind(merging), weights.evidence, file)
    file_tensors, network = _add_positions(weights)
    kept = {name: file_tensors[name] for name in network if name in file_tensors}
    save_atomically(preprocessing_note.with_metadata(kept, weights.trained_with, kind), out)
    counts = [
        f"{part} {_count_tensors(part, file_tensors, network)}" for part in ("encoder", "decoder")
    ]
    others = _describe_others(weights, network)
    return (
        f"wrote {out} from {file} ({weights.layout}; {in_words(weights.evidence, kind)}): "
        f"{', '.join(counts)}" + (f"; left out: {others}" if others else "")
    )


def sha256(file: str) -> str:
    """Returns a file's SHA-256 as hexadecimal digits, as `large_files.yml` has it."""
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _add_positions(weights: Weights) -> tuple[matching.State, matching.State]:
    """Adds the constants that a file lacks, and builds a network with the same names."""
    architecture = read_architecture(weights.tensors)
    network = _network_of(architecture)
    if architecture.window_size is None:
        return weights.tensors, network
    return matching.with_positions(weights.tensors, network), network


def _network_of(architecture: Architecture) -> matching.State:
    """Builds a small network with the tensors' names of this architecture."""
    depths = architecture.depths or (2, 2, 2, 2)
    return SwinUNETR(
        in_channels=1,
        out_channels=1,
        feature_size=12,
        depths=depths,
        num_heads=(3, 6, 12, 24),
        window_size=architecture.window_size or 7,
        use_v2=architecture.use_v2,
        patch_norm=bool(architecture.patch_norm),
        qkv_bias=architecture.qkv_bias is not False,
    ).state_dict()


def _count_tensors(part: str, file_tensors: matching.State, network: matching.State) -> str:
    """Counts the tensors of a part: `126 of 126 tensors`, `none`."""
    names = [name for name in network if matching.part(name) == part]
    missing = [name for name in names if name not in file_tensors]
    if len(missing) == len(names):
        return "none"
    count = f"{len(names) - len(missing)} of {len(names)} tensors"
    return count + (f" ({missing[0]} is missing)" if missing else "")


def _describe_others(weights: Weights, network: matching.State) -> str:
    """Describes the tensors for which a network has no place."""
    placed = {name: value for name, value in weights.tensors.items() if name in network}
    return matching.describe_left_out(weights.tensors, placed)


def _join_words(words: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in words.items())


def download(name: str) -> str:
    """Downloads one file of `large_files.yml` into `pretrained/`, and checks a known hash.

    `python -m monai.bundle download_large_files` fetches all of them.

    Args:
        name: the file's name, such as `model_swinvit.pt`.

    Raises:
        InputError: no such file is listed, it cannot be fetched, or its hash is another.
    """
    listing = BUNDLE / "large_files.yml"
    if not listing.is_file():
        raise InputError(
            f"{BUNDLE.resolve().name} has no large_files.yml, which lists files to download; "
            "download it by hand, or in btcv_segmentation."
        )
    entries = ConfigParser.load_config_file(listing)["large_files"]
    entries_by_name = {Path(entry["path"]).name: entry for entry in entries}
    if name not in entries_by_name:
        raise InputError(f"large_files.yml lists no {name}; it has {', '.join(entries_by_name)}.")
    entry = dict(entries_by_name[name])
    path = BUNDLE / entry.pop("path")
    try:
        download_url(filepath=path, **entry)
    except HashCheckError as error:
        raise InputError(
            f"{name}: its hash is not the expected one; remove {path} if it is there, "
            "and fetch it again."
        ) from error
    except (URLError, OSError, RuntimeError) as error:
        raise InputError(f"{entry['url']} cannot be fetched ({error}); try again later.") from error
    return f"{path}"


COMMANDS = {"inspect": inspect, "convert": convert, "download": download, "add_note": add_note}
