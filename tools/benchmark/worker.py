"""Shares the pipe, time, memory and inputs between both sides of tools/benchmark."""

import json
import math
import os
import platform
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import TextIO

import monai
import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator
from torch import Tensor

from tools.phantom import case_rng, phantom_ct

CLASSES = 14
WARM_UP = "warm up"


@dataclass
class Job:
    """Describes the timed step, and the step that runs once before.

    Args:
        step: one repetition; of a whole volume it returns the labels (1, X, Y, Z).
        warm_up: in place of a first `step` that is not counted.
        count: units that a step does; reported times are of one unit.
    """

    step: Callable[[], Tensor | None]
    warm_up: Callable[[], object] | None = None
    count: int = 1


def serve(order: dict, build: Callable[[dict], Job] | None, answers: TextIO) -> None:
    """Answers the order with versions and hardware, then each line of standard input with a time.

    Args:
        order: see `tools/benchmark`.
        build: makes the job of the order; None for an order that asks for the versions alone.
        answers: one line of JSON for each line read.
    """
    is_cuda, peak = order["device"] == "cuda", 0
    if is_cuda and "memory_gb" in order:
        limit_gpu_memory(order["memory_gb"])
    job = build(order) if build else None
    _send(answers, facts())
    for line in sys.stdin:
        is_warm_up = line.strip() == WARM_UP
        run = job.warm_up if is_warm_up and job.warm_up else job.step
        started, cpu_started = perf_counter(), process_time()
        try:
            result = run()
            if is_cuda:
                torch.cuda.synchronize()
        except torch.OutOfMemoryError:
            _send(answers, {"out_of_memory": True})
            continue
        seconds = (perf_counter() - started) / job.count
        cpu_seconds = (process_time() - cpu_started) / job.count
        peak = max(peak, peak_bytes(order["device"]))  # handlers may reset what CUDA reports
        if not is_cuda and peak > order.get("memory_gb", math.inf) * 1e9:  # a CPU has no such limit
            _send(answers, {"out_of_memory": True})
            continue
        if isinstance(result, Tensor) and not is_warm_up:
            labels = result.cpu().numpy().astype(np.uint8)[0]
            np.save(Path(order["folder"], f"{order['side']}.npy"), labels)
        _send(answers, {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak})


def _send(answers: TextIO, content: dict) -> None:
    answers.write(json.dumps(content) + "\n")
    answers.flush()


def peak_bytes(device: str) -> int:
    """Returns the most memory used so far: allocated on CUDA, resident on a CPU."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def limit_gpu_memory(gb: float) -> None:
    """Lets this process allocate at most that many 1e9 bytes of the GPU."""
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, gb * 1e9 / total))


def facts() -> dict:
    """Returns versions and hardware of this process; `gpu` is None without CUDA."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        cpu = names[0] if names else cpu
    return {
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "monai": monai.__version__,
        },
        "hardware": {
            "cpu": cpu,
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
    }


def random_batch(order: dict, per_volume: int = 1) -> dict[str, Tensor]:
    """Makes crops as a data loader does: `image` in [0, 1], `label` 0 to 13, (B, 1, X, Y, Z).

    Args:
        order: has `batch_size` and `patch_size` in its `config`.
        per_volume: crops of a volume. Each crop is as large as its volume.
    """
    config, generator = order["config"], torch.Generator().manual_seed(0)
    shape = (config["batch_size"], 1, *config["patch_size"])
    images = torch.rand(shape, generator=generator)
    labels = torch.randint(CLASSES, shape, generator=generator).float()
    if order["device"] == "cuda":
        images, labels = images.pin_memory(), labels.pin_memory()
    draws = [[0, *divmod(index, per_volume)] for index in range(shape[0])]
    size = torch.tensor(config["patch_size"]).expand(shape[0], -1)
    return {
        "image": MetaTensor(images),
        "label": MetaTensor(labels),
        "draw": torch.tensor(draws),
        "box": torch.stack([torch.zeros_like(size), size], dim=1),
        "volume_shape": size,
    }


def ct_path(order: dict) -> str:
    """Returns the path of the phantom CT; the true labels lie beside it as `truth.npy`."""
    return str(Path(order["folder"], "ct.nii"))


def weights_path(order: dict) -> str:
    """Returns the path of the state dict of the network that segments the CT."""
    return str(Path(order["folder"], "model.pt"))


def write_ct(order: dict) -> None:
    """Draws the CT, oriented LPS as most scanners' are."""
    shape, spacing_mm = order["ct"]["shape"], order["ct"]["spacing_mm"]
    image, labels = phantom_ct(case_rng(0, "benchmark", 0), shape, spacing_mm)
    affine = np.diag([-spacing_mm[0], -spacing_mm[1], spacing_mm[2], 1.0])
    nib.save(nib.Nifti1Image(image[::-1, ::-1], affine), ct_path(order))
    np.save(Path(order["folder"], "truth.npy"), labels[::-1, ::-1])


def volume_job(evaluator: SupervisedEvaluator, order: dict) -> Job:
    """Times a volume from the image as a reader gives it to labels on its grid.

    A CPU is warmed up by one window, because a whole volume takes minutes there.
    """

    def step() -> Tensor:
        evaluator.run()
        return evaluator.state.output[0]["pred"]

    def one_window() -> None:
        with torch.no_grad():
            evaluator.network.eval()(torch.rand(1, 1, *order["config"]["patch_size"]))

    return Job(step, None if order["device"] == "cuda" else one_window)
