"""Times one alternative of one part, as the process of `python tools/benchmark parts`.

python -m tools.benchmark.variants PART VARIANT
"""

import json
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np
import torch
from monai.data import MetaTensor
from monai.networks.nets import SwinUNETR
from monai.networks.nets.swin_unetr import SwinTransformer
from monai.transforms import Activationsd, AsDiscreted, Compose, Invertd, Orientationd, Spacingd
from torch import nn

from common.inference import ResampleToInputd
from common.network import attention_kernels, prepare_network
from common.runtime.memory import keep_freed_memory, peak_memory

CLASSES = 14


def forward(network: nn.Module, windows: int = 1) -> Callable[[], object]:
    image = torch.rand(windows, 1, 96, 96, 96)

    def step() -> None:
        with torch.no_grad():
            network.eval()(image)

    return step


def heads(variant: str) -> Callable[[], object]:
    attention_kernels.CHANNELS_FOR_FUSED = {"in the cache": 16, "fused kernel": 0}[variant]
    sizes = {"depths": (2, 2, 2, 2), "num_heads": (3, 6, 12, 24)}
    encoder = SwinTransformer(1, 12, (7,) * 3, (2,) * 3, **sizes)
    return forward(prepare_network(encoder, "cpu"))


def adamw(variant: str) -> Callable[[], object]:
    parameters = list(SwinUNETR(1, CLASSES, feature_size=48).parameters())
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    return torch.optim.AdamW(parameters, lr=1e-4, fused=variant == "fused").step


def layout(variant: str) -> Callable[[], object]:
    network = SwinUNETR(1, CLASSES, feature_size=12)
    is_last = variant == "channels last"
    return forward(prepare_network(network, "cpu", channels_last=is_last))


def windows(variant: str) -> Callable[[], object]:
    network = prepare_network(SwinUNETR(1, CLASSES, feature_size=48), "cpu")
    return forward(network, {"one a forward": 1, "four a forward": 4}[variant])


def labels(variant: str) -> Callable[[], object]:
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
    """Prints a line of JSON with the median seconds and the largest resident set."""
    keep_freed_memory()
    step, times = PARTS[part](variant), []
    step()
    for _ in range(repetitions):
        started = perf_counter()
        step()
        times.append(perf_counter() - started)
    each = 4 if variant == "four a forward" else 1
    peak = peak_memory("cpu") / 2**30
    print(json.dumps({"seconds": median(times) / each, "gib": peak}))


if __name__ == "__main__":
    measure(*sys.argv[1:])
