"""A small git checkout of this repository, with what runs leave in it, for tests of a release."""

import json
import shutil
import subprocess
from collections.abc import Container
from pathlib import Path

import torch
from helpers import ROOT
from monai.networks.nets import SwinUNETR

from common.weights.preprocessing_note import with_metadata
from tools.release.demo_bundle import DEMO, WEIGHTS
from tools.release.files import tracked_files

TASKS = "bundles/msd_tasks/configs/tasks/"
AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@example.org")


def write_checkout(root: Path, tasks: Container[str] | None = None) -> Path:
    """Writes and commits what git tracks here of the bundles, as it is on disk.

    Args:
        root: a new folder.
        tasks: the Decathlon's tasks to take; all by default.
    """
    for name in tracked_files(ROOT):
        if tasks and name.startswith(TASKS) and Path(name).stem not in tasks:
            continue
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, root / name)
    shutil.copyfile(ROOT / ".gitignore", root / ".gitignore")
    for words in (["init", "--quiet"], ["add", "--all"], [*AUTHOR, "commit", "-qm", "all"]):
        subprocess.run(["git", "-C", root, *words], check=True)
    return root


def write_demo(root: Path) -> Path:
    """Writes what `make demo` leaves, with weights that are not trained: their labels are wrong.

    Returns:
        The weights.
    """
    for name in ("btcv_segmentation", "pretrain_ssl"):
        shutil.copytree(root / "bundles" / name, root / DEMO / name)
    demo = json.loads((root / "bundles/btcv_segmentation/configs/demo.json").read_text())
    network = SwinUNETR(
        in_channels=1,
        out_channels=14,
        feature_size=demo["network_def::feature_size"],
        depths=demo["network_def::depths"],
        num_heads=[3, 6, 12, 24],
        window_size=demo["network_def::window_size"],
        use_v2=False,
    )
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        if parameter.ndim > 1:  # so that it gives more than one label
            torch.nn.init.normal_(parameter, std=0.08, generator=generator)
    path = root / WEIGHTS
    path.parent.mkdir(exist_ok=True)
    torch.save(with_metadata(network.state_dict(), {"task": "BTCV"}, "current"), path)
    return path
