# generated from common/weights/commands.py, do not edit: `make copies`
"""What a file of weights holds, and the same weights in SwinUNETR's own layout."""

import hashlib
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

from monai.apps import download_url
from monai.apps.utils import HashCheckError
from monai.bundle import ConfigParser
from monai.networks.nets import SwinUNETR

from .. import BUNDLE
from ..atomic_write import save_atomically
from ..errors import InputError
from ..network.patch_merging import AUTO, CURRENT, MERGINGV2, check_kind, in_current_order
from . import matching, preprocessing_note
from .architecture import Architecture, architecture, describe
from .find_merging import decide, in_words
from .layouts import Weights, read_weights

REMEDY = "docs/weights.md of btcv_segmentation lists what is taken."


def inspect(file: str) -> str:
    """Tell what a file of weights holds: layout, tensors, architecture, what it was trained with.

    Args:
        file: a checkpoint of any layout that docs/weights.md lists.

    Raises:
        InputError: see `layouts.read_weights`.
    """
    weights = read_weights(file, REMEDY)
    given, network = _completed(weights)
    told = weights.trained_with
    lines = {
        "layout": weights.layout,
        "encoder": _count("encoder", given, network),
        "decoder": _count("decoder", given, network),
        "others": _others(weights, network) or "none",
        "architecture": describe(architecture(weights.tensors)),
        "merging": str(weights.evidence),
        "trained with": _listed(preprocessing_note.describe(told or {}))
        or "nothing that it carries",
        "sha256": sha256(file),
    }
    return "\n".join([file, *(f"{name:14}{text}" for name, text in lines.items())])


def convert(file: str, out: str, merging: str = AUTO) -> str:
    """Write a file's encoder, and its decoder if it has one, as a plain state dict of SwinUNETR.

    Spacing and intensity range go along where the file carries them, and the patch merging always,
    so that whatever loads the new file runs the function that was trained.

    Args:
        file: a checkpoint of any layout that docs/weights.md lists; it stays as it is.
        out: what to write; replaced when it is there already.
        merging: how the file was trained, where it does not tell: current, legacy, or mergingv2,
            MONAI's option of that name, whose order is turned into the current one.

    Raises:
        InputError: see `layouts.read_weights`; `out` is the file itself or cannot be written; the
            file does not tell its patch merging, or tells another than `merging`.
    """
    weights = read_weights(file, REMEDY)
    if merging == "mergingv2":
        decide(CURRENT, weights.evidence, file)
        tensors = in_current_order(weights.tensors, MERGINGV2)
        weights, kind = replace(weights, tensors=tensors), CURRENT
    else:
        kind = decide(check_kind(merging), weights.evidence, file)
    if Path(out).resolve() == Path(file).resolve():
        raise InputError(f"{out} is the file to convert, which stays as it is; give another name.")
    given, network = _completed(weights)
    kept = {name: given[name] for name in network if name in given}
    try:
        save_atomically(preprocessing_note.with_metadata(kept, weights.trained_with, kind), out)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{out} cannot be written ({error}); give another name.") from error
    counts = [f"{part} {_count(part, given, network)}" for part in ("encoder", "decoder")]
    others = _others(weights, network)
    return (
        f"wrote {out} from {file} ({weights.layout}; {in_words(weights.evidence, kind)}): "
        f"{', '.join(counts)}" + (f"; left out: {others}" if others else "")
    )


def sha256(file: str) -> str:
    """A file's hash, as `large_files.yml` names it."""
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _completed(weights: Weights) -> tuple[matching.State, matching.State]:
    """The file's tensors with the constants that it lacks, and a network of the same names."""
    found = architecture(weights.tensors)
    network = _network_of(found)
    if found.window_size is None:
        return weights.tensors, network
    return matching.with_positions(weights.tensors, network), network


def _network_of(found: Architecture) -> matching.State:
    """A small network with the names of one of this architecture."""
    depths = found.depths or (2, 2, 2, 2)
    return SwinUNETR(
        in_channels=1,
        out_channels=1,
        feature_size=12,
        depths=depths,
        num_heads=(3, 6, 12, 24),
        window_size=found.window_size or 7,
        use_v2=found.use_v2,
    ).state_dict()


def _count(part: str, given: matching.State, network: matching.State) -> str:
    wanted = [name for name in network if matching.part(name) == part]
    missing = [name for name in wanted if name not in given]
    if len(missing) == len(wanted):
        return "none"
    count = f"{len(wanted) - len(missing)} of {len(wanted)} tensors"
    return count + (f" ({missing[0]} is missing)" if missing else "")


def _others(weights: Weights, network: matching.State) -> str:
    """What a network has no place for."""
    placed = {name: value for name, value in weights.tensors.items() if name in network}
    return matching.left_out(weights.tensors, placed)


def _listed(words: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in words.items())


def download(name: str) -> str:
    """Fetch one file of `large_files.yml` into `pretrained/`, its hash checked where it is known.

    `python -m monai.bundle download_large_files` fetches all of them.

    Args:
        name: of the file, `model_swinvit.pt` for instance.

    Raises:
        InputError: no such file is listed, it cannot be fetched, or its hash is another.
    """
    entries = ConfigParser.load_config_file(BUNDLE / "large_files.yml")["large_files"]
    listed = {Path(entry["path"]).name: entry for entry in entries}
    if name not in listed:
        raise InputError(f"large_files.yml lists no {name}; it has {', '.join(listed)}.")
    entry = dict(listed[name])
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


COMMANDS = {"inspect": inspect, "convert": convert, "download": download}
