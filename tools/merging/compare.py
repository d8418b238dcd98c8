"""Measures how far the two patch mergings lie apart on the weights of small trainings.

    python tools/merging compare OUT IMAGE

For every run of btcv_segmentation below a folder: the relative L2 difference of the encoder's
hidden states and of the scores on a crop of a CT, the network run as trained and as the other.
docs/merging.md has the results.
"""

import sys

import torch

from tools import ROOT

from .score import kept_runs

BUNDLE = ROOT / "bundles/btcv_segmentation"
HEAD = (
    "| training | merging | state 1 | state 2 | state 3 | state 4 | scores | labels changed |\n"
    "|---|---|---|---|---|---|---|---|"
)


def compare(out: str, image: str) -> str:
    """Measures how far the mergings lie apart: a line for each training.

    Args:
        out: holds runs, at any depth; each has a config.json and checkpoints.
        image: a CT; the networks see its centre.
    """
    from monai.bundle import ConfigParser

    sys.path.insert(0, str(BUNDLE))
    from scripts.common.network.patch_merging import CURRENT, LEGACY, set_merging

    lines = [HEAD]
    for run in kept_runs(out):
        parser = ConfigParser(run.config)
        network = parser.get_parsed_content("network_def").eval()
        last = list(run.states.values())[-1]
        network.load_state_dict(torch.load(last, weights_only=True)["network"])
        crop, outputs = centre(parser, image), {}
        for kind in (CURRENT, LEGACY):
            set_merging(network, kind)
            with torch.no_grad():
                outputs[kind] = [*network.swinViT(crop)[1:], network(crop)]
        other = LEGACY if run.merging == CURRENT else CURRENT
        pairs = list(zip(outputs[other], outputs[run.merging]))
        differences = [f"{float((a - b).norm() / b.norm()):.1%}" for a, b in pairs]
        changed = (pairs[-1][0].argmax(1) != pairs[-1][1].argmax(1)).float().mean()
        cells = [run.name, run.merging, *differences, f"{float(changed):.1%}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def centre(parser, image: str) -> torch.Tensor:
    """Crops the middle of the image as the run's transforms prepare it: (1, 1, X, Y, Z)."""
    from monai.transforms import CenterSpatialCrop, Compose, SpatialPad

    transforms = parser.get_parsed_content("deterministic_transforms")
    size = parser["patch_size"]
    of_image = Compose([t for t in transforms if "image" in getattr(t, "keys", ())])
    for transform in of_image.transforms:
        transform.allow_missing_keys = True
    whole = of_image({"image": image})["image"]
    return CenterSpatialCrop(size)(SpatialPad(size)(whole)).as_tensor()[None]
