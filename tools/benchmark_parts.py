"""What single choices bring on this CPU: each against its alternative, in turns.

    python tools/benchmark_parts.py run
    python tools/benchmark_parts.py run --only heads,labels

Every measurement is a process of its own with freed memory kept, as in the bundles' runs; it warms
up once and times a few repetitions. The table has medians and the largest resident set.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import fire
import numpy as np
import torch
from monai.data import MetaTensor
from monai.networks.nets import SwinUNETR
from monai.networks.nets.swin_unetr import SwinTransformer
from monai.transforms import Activationsd, AsDiscreted, Compose, Invertd, Orientationd, Spacingd
from torch import nn

BUNDLE = Path(__file__).resolve().parent.parent / "bundles" / "btcv_segmentation"
CLASSES = 14
# What is measured, and the alternatives in their order
VARIANTS = {
    "heads": ("in the cache", "fused kernel"),
    "adamw": ("fused", "unfused"),
    "layout": ("channels first", "channels last"),
    "windows": ("one a forward", "four a forward"),
    "labels": ("in slabs", "all probabilities"),
}
TITLES = {
    "heads": "encoder forward, 96³, feature size 12",
    "adamw": "AdamW step of the full-size network",
    "layout": "forward, 96³, feature size 12",
    "windows": "forward for one window of 96³, feature size 48",
    "labels": "14 classes from 1.5×1.5×2 mm to 512×512×150 at 0.8×0.8×2.5 mm",
}


def forward(network: nn.Module, windows: int = 1) -> Callable[[], object]:
    image = torch.rand(windows, 1, 96, 96, 96)

    def step() -> None:
        with torch.no_grad():
            network.eval()(image)

    return step


def heads(variant: str) -> Callable[[], object]:
    from scripts import kernels, performance

    kernels.CHANNELS_FOR_FUSED = {"in the cache": 16, "fused kernel": 0}[variant]
    sizes = {"depths": (2, 2, 2, 2), "num_heads": (3, 6, 12, 24)}
    return forward(performance.prepared(SwinTransformer(1, 12, (7,) * 3, (2,) * 3, **sizes), "cpu"))


def adamw(variant: str) -> Callable[[], object]:
    parameters = list(SwinUNETR(1, CLASSES, feature_size=48).parameters())
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    return torch.optim.AdamW(parameters, lr=1e-4, fused=variant == "fused").step


def layout(variant: str) -> Callable[[], object]:
    from scripts import performance

    network = SwinUNETR(1, CLASSES, feature_size=12)
    is_last = variant == "channels last"
    return forward(performance.prepared(network, "cpu", channels_last=is_last))


def windows(variant: str) -> Callable[[], object]:
    from scripts import performance

    network = performance.prepared(SwinUNETR(1, CLASSES, feature_size=48), "cpu")
    return forward(network, {"one a forward": 1, "four a forward": 4}[variant])


def labels(variant: str) -> Callable[[], object]:
    from scripts.labels import ResampleToInputd

    affine, shape = np.diag([-0.8, 0.8, 2.5, 1.0]), (512, 512, 150)
    meta = {"original_affine": affine, "spatial_shape": np.array(shape)}
    to_network = Compose(
        [Orientationd("image", "RAS", labels=None), Spacingd("image", (1.5, 1.5, 2.0), dtype=None)]
    )
    image = MetaTensor(torch.zeros(1, *shape), affine=torch.tensor(affine), meta=meta)
    data = to_network({"image": image})
    scores = torch.randn(CLASSES, *data["image"].shape[1:])
    if variant == "in slabs":
        to_labels = ResampleToInputd("pred", "image")
    else:
        softmax = Activationsd("pred", softmax=True)
        inverse = Invertd("pred", to_network, "image", nearest_interp=False)
        to_labels = Compose([softmax, inverse, AsDiscreted("pred", argmax=True)])
    return lambda: to_labels(data | {"pred": MetaTensor(scores, meta=data["image"].meta)})


PARTS = {
    "heads": heads,
    "adamw": adamw,
    "layout": layout,
    "windows": windows,
    "labels": labels,
}


def measure(part: str, variant: str, repetitions: int = 3) -> None:
    """One process's work: a line of JSON with the median seconds and the largest resident set."""
    sys.path.insert(0, str(BUNDLE))
    from scripts import performance

    performance.keep_freed_memory()
    step, times = PARTS[part](variant), []
    step()
    for _ in range(repetitions):
        started = perf_counter()
        step()
        times.append(perf_counter() - started)
    each = 4 if variant == "four a forward" else 1
    peak = performance.peak_memory("cpu") / 2**30
    print(json.dumps({"seconds": median(times) / each, "gib": peak}))


def parse_parts(text: str) -> list[str]:
    unknown = [name for name in text.split(",") if name not in PARTS]
    if unknown:
        known = ", ".join(PARTS)
        raise SystemExit(f"--only names {', '.join(map(repr, unknown))}; choose from {known}.")
    return text.split(",")


@fire.decorators.SetParseFns(only=parse_parts)
def run(only: list[str] = tuple(PARTS), rounds: int = 3) -> None:
    """Print a table of the alternatives.

    Args:
        only: heads, adamw, layout, windows, labels; several are separated by commas.
        rounds: how often the alternatives take turns.
    """
    print("| | | seconds | GiB |\n|---|---|--:|--:|")
    for part in only:
        found = {variant: [] for variant in VARIANTS[part]}
        for _ in range(rounds):
            for variant, given in found.items():
                command = [sys.executable, __file__, "measure", part, variant]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
                if done.returncode:
                    raise SystemExit(f"{part}, {variant} has failed; it says above why.")
                given.append(json.loads(done.stdout.splitlines()[-1]))
        for variant, given in found.items():
            seconds, gib = (median(one[key] for one in given) for key in ("seconds", "gib"))
            print(f"| {TITLES[part]} | {variant} | {seconds:.3g} | {gib:.2f} |", flush=True)


if __name__ == "__main__":
    fire.Fire({"run": run, "measure": measure})
