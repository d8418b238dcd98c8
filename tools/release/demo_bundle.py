"""Writes the bundle `btcv_demo_segmentation`: the demo's small network with its trained weights."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.networks.nets import SwinUNETR

from common.errors import InputError
from common.weights.checkpoint_file import read_state_dict
from common.weights.preprocessing_note import add_to_note, read_metadata
from tools.phantom.cases import BTCV, case_rng, draw_case
from tools.repo.format_json import layout

NAME = "btcv_demo_segmentation"
SOURCE = "btcv_segmentation"
DEMO = "demo/bundles"
WEIGHTS = f"{DEMO}/{SOURCE}/models/model.pt"
README = Path(__file__).with_name("demo_readme.md")
UNSEEN = 101  # the first phantom that the demo's training has not seen
LEFT_OUT = (
    *("large_files.yml", "configs/demo.json", "configs/multi_gpu_train.json", "configs/schedules"),
    *("configs/tasks", "docs/own_data.md", "docs/weights.md"),
)
EVALUATE = {  # the example, whose one case belongs to no fold
    "_desc_": "python -m monai.bundle run --config_file "
    "\"['configs/train.json','configs/evaluate.json']\"",
    "dataset_dir": "$@bundle_root + '/example'",
    "evaluate_on": "all",
}
LICENSE = """The weights, models/model.pt, were trained on generated CT phantoms, and example/
holds such a phantom and its labels. No patient's data is in either. They are under the same
licence as the code, see LICENSE.
"""


def write_demo_bundle(folder: Path, weights: Path) -> Path:
    """Writes the demo's bundle beside the others.

    Args:
        folder: with the layout of the repository; `bundles/btcv_segmentation` is read in it.
        weights: `models/model.pt` of btcv_segmentation after `make demo`.

    Returns:
        The folder of the bundle; its configs need no overlay.

    Raises:
        InputError: the file cannot be read, or holds another network than the demo's.
    """
    bundle = folder / "demo" / NAME
    shutil.copytree(folder / "bundles" / SOURCE, bundle)
    demo = json.loads((bundle / "configs/demo.json").read_text())
    for name in LEFT_OUT:
        path = bundle / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name in ("train", "inference"):
        path = bundle / f"configs/{name}.json"
        config = merge(json.loads(path.read_text()), demo, may_add=name == "train")
        if name == "inference":
            config["_desc_"] = "python -m monai.bundle run --config_file configs/inference.json"
            config["dataset_dir"] = "$@bundle_root + '/example/img'"
        path.write_text(layout(config) + "\n")
    path = bundle / "configs/evaluate.json"
    config = json.loads(path.read_text()) | EVALUATE
    path.write_text(layout(config) + "\n")
    write_metadata(bundle / "configs/metadata.json", demo["patch_size"])
    (bundle / "docs/README.md").write_text(README.read_text())
    (bundle / "docs/data_license.txt").write_text(LICENSE)
    write_weights(weights, bundle)
    for kind, image in zip(
        ("img", "label"), draw_case(case_rng(0, "btcv", UNSEEN), BTCV, 3.0, 1.0)
    ):
        (bundle / "example" / kind).mkdir(parents=True)
        image.to_filename(bundle / f"example/{kind}/{kind}{UNSEEN:04}.nii.gz")
    return bundle


def changed_since_demo(root: Path, folder: Path) -> list[str]:
    """Lists configs and scripts that differ from those that the demo was trained with.

    Args:
        root: the repository; `make demo` has left a copy of the bundles in its `demo/`.
        folder: with the layout of the repository, the files of today.

    Raises:
        InputError: there are no weights of a demo.
    """
    if not (root / WEIGHTS).is_file():
        raise InputError(f"{root / WEIGHTS} does not exist; run `make demo` first.")
    changed = []
    for name in ("pretrain_ssl", SOURCE):
        for path in sorted((folder / "bundles" / name).rglob("*.*")):
            part = path.relative_to(folder / "bundles")
            copy = root / DEMO / part
            if path.suffix not in (".json", ".py") or path.name == "metadata.json":
                continue
            if not copy.is_file() or copy.read_bytes() != path.read_bytes():
                changed.append(f"bundles/{part.as_posix()}")
    return changed


def merge(config: dict[str, Any], overlay: dict[str, Any], may_add: bool) -> dict[str, Any]:
    """Puts an overlay of flat keys, such as `network_def::depths`, into a config.

    Args:
        config: changed in place, and returned.
        overlay: its `_desc_` is left out.
        may_add: takes keys that the config does not have; else they are left out.
    """
    for key, value in overlay.items():
        *parents, last = key.split("::")
        node = config
        for parent in parents:
            node = node[parent]
        if key != "_desc_" and (may_add or last in node):
            node[last] = value
    return config


def write_metadata(path: Path, patch_size: list[int]) -> None:
    """Names and describes the demo's bundle, and gives its size of crops."""
    metadata = json.loads(path.read_text())
    metadata |= {
        "name": "Demo of BTCV segmentation, trained on phantoms",
        "task": "demonstration: segmentation of 13 abdominal organs in generated CT phantoms",
        "description": "Small Swin UNETR trained for minutes on generated CT phantoms, to try the "
        "bundle; it does not segment CTs of patients",
        "data_source": "phantoms generated by tools/phantom; no patient's data",
        "intended_use": "trying the software; the weights were trained on phantoms, so do not use "
        "their segmentation of a patient's CT",
    }
    for direction, name in (("inputs", "image"), ("outputs", "pred")):
        metadata["network_data_format"][direction][name]["spatial_shape"] = patch_size
    path.write_text(layout(metadata) + "\n")


def write_weights(weights: Path, bundle: Path) -> None:
    """Saves the weights with the stamp `trained_on: phantoms` in their note, where they fit."""
    state = read_state_dict(str(weights), "run `make demo` again.")
    config = ConfigParser.load_config_file(str(bundle / "configs/inference.json"))
    numbers = {
        key: value
        for key, value in config["network_def"].items()
        if not isinstance(value, (str, dict))
    }
    network = SwinUNETR(
        in_channels=config["channels"], out_channels=len(config["labels"]), **numbers
    )
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    # tables of positions are made by the network, and not in every file
    given = {name: tensor.shape for name, tensor in state.items()}
    wrong = [n for n, shape in shapes.items() if given.get(n) != shape and not _is_index(n)]
    if wrong or given.keys() - shapes.keys():
        raise InputError(
            f"{weights} does not hold the demo's network ({len(wrong)} tensors differ); run "
            "`make demo` again."
        )
    if read_metadata(state) is None:
        raise InputError(
            f"{weights} has no note of its training, which the stamp is added to; `make demo` "
            "writes weights that have one."
        )
    add_to_note(state, trained_on="phantoms")
    (bundle / "models").mkdir()
    torch.save(state, bundle / "models/model.pt")


def _is_index(name: str) -> bool:
    return bool(re.search(r"relative_position_index$", name))
