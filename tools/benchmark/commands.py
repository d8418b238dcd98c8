"""Times the bundles against MONAI used as the public scripts and the model zoo use it.

    python tools/benchmark run --output_dir DIR
    python tools/benchmark run --output_dir DIR --device cuda
    python tools/benchmark run --output_dir DIR --only encoder,pretrain,finetune
    python tools/benchmark parts
    python tools/benchmark objectives
    python tools/benchmark floor
    python tools/benchmark gpu --output gpu.json
    python tools/benchmark gpu_table

What `run` times, on one batch or CT that is in memory, but for crops, which are read from files:

- crops: a training crop from a corpus of CTs, on one thread;
- encoder: a forward in evaluation;
- pretrain: a step, from the crops to the updated weights, two corrupted views included;
- finetune: a step, from the crops to the updated weights;
- volume: a CT as a reader gives it to labels on its grid, resampling included.

Each side runs in a process of its own, and they take turns. Further rows give the reference a part
of what we do: on a CPU our allocator setting, so that what is left is the network; in `pretrain`
our heads; in `crops` we read the compressed files that the reference reads. Gradient checkpointing
is off on a CPU; on CUDA it is what our configs declare, and on for the reference as in the authors'
commands for one GPU.

`parts` times single choices of ours, `objectives` a step of each pre-training objective; `floor`
prints the least time that a forward could take; `gpu` checks a GPU in ten minutes, and `gpu_table`
writes its result into docs/performance.md.
"""

import json
import shlex
import shutil
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from common.atomic_write import check_writable, write_text
from common.cli.kinds import Count
from common.errors import InputError
from tools import ROOT

from .gpu import gpu
from .gpu_table import gpu_table
from .objectives import objectives
from .parts import parts
from .process import asked, measured, say
from .report import agreement, row, table
from .sizes import CONFIGS, LARGE_CORPUS, SMALL_CORPUS, VOLUMES

OUTPUTS = {"models", "runs", "predictions", "evaluation", "cache"}  # folders of a bundle
SIDES = {
    "crops": ("ours", "reference", "ours_compressed"),
    "encoder": ("ours", "reference", "reference_allocator"),
    "pretrain": ("ours", "reference", "reference_light"),
    "finetune": ("ours", "reference", "reference_allocator"),
    "volume": ("ours", "reference"),
}
FIRST = {"crops": "corpus", "volume": "weights"}  # what a task needs, made by a process of its own
FACTS = {"task": "facts", "side": "ours", "device": "cpu"}
REPETITIONS = 5
Edge = Annotated[int, ("type", "integer"), ("minimum", 32), ("multipleOf", 32)]
VOLUME_REPETITIONS = {"cpu": 1, "cuda": 3}


def first(task: str, preset: str, size: str, training_steps: int | None) -> dict:
    """Returns the order for files that a task needs before it is timed, see `FIRST`."""
    if task == "crops":
        return {"device": "cpu", "corpus": LARGE_CORPUS if size == "full" else SMALL_CORPUS}
    plan = VOLUMES[preset]
    steps = training_steps or plan["training"]["steps"]
    return plan | {"training": plan["training"] | {"steps": steps}}


def run(
    *,
    output_dir: str,
    device: Literal["cpu", "cuda"] = "cpu",
    only: list[Literal[tuple(SIDES)]] | None = None,
    size: Literal["full", "tiny"] = "full",
    repetitions: Count | None = None,
    training_steps: Count | None = None,
) -> None:
    """Times both sides; writes benchmark.json and benchmark.md, prints the table.

    Args:
        output_dir: folder for the two files.
        device: cpu (17 minutes on two cores) or cuda (the paper's sizes).
        only: crops, encoder, pretrain, finetune, volume; several are separated by
            commas; without it all five.
        size: full, or tiny to try the tool out; its times mean nothing.
        repetitions: of each measurement; without it 5, of a volume 1 on a CPU and 3 on CUDA.
        training_steps: of the network whose labels are compared; without it as many as take about
            two minutes.
    """
    if device == "cuda" and not asked(FACTS)["hardware"]["gpu"]:
        raise InputError("--device cuda needs a CUDA GPU, which PyTorch does not find here.")
    check_writable(folders=[output_dir])
    preset, rows, measurements = (device if size == "full" else size), [], {}
    with tempfile.TemporaryDirectory(prefix="benchmark_") as folder:
        shutil.copytree(ROOT / "bundles", Path(folder, "bundles"), ignore=_ignored)
        common = {"device": device, "folder": folder, "bundles": str(Path(folder, "bundles"))}
        for task in [name for name in SIDES if name in (only or SIDES)]:
            order = common | {"task": task, "config": CONFIGS[preset][task]}
            if task in FIRST:
                order |= first(task, preset, size, training_steps)
                seconds = asked(order | {"task": FIRST[task], "side": "ours"}, "go")["seconds"]
                say(f"{FIRST[task]} made in {seconds:.0f} s")
            sides = [s for s in SIDES[task] if device == "cpu" or s != "reference_allocator"]
            count = repetitions or (VOLUME_REPETITIONS[device] if task == "volume" else REPETITIONS)
            found, facts = measured([order | {"side": side} for side in sides], count)
            for side in sides[1:]:
                same = agreement(Path(folder), side) if task == "volume" else {}
                rows.append(row(task, side, found, same, device if size == "full" else None))
            measurements[task] = {"config": order["config"], "sides": found}
    write(Path(output_dir), facts, rows, measurements, device, size)


def _ignored(folder: str, names: list[str]) -> set[str]:
    """Lists a bundle's outputs in a folder, which are not copied; scripts/common/evaluation is."""
    is_bundle = Path(folder).parent == ROOT / "bundles"
    return {*names} & {"__pycache__", *(OUTPUTS if is_bundle else ())}


def write(
    folder: Path, facts: dict, rows: list[dict], measurements: dict, device: str, size: str
) -> None:
    """Writes the JSON and the Markdown file, and prints the table."""
    result = {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": shlex.join(["python", *sys.argv]),
        "device": device,
        "size": size,
        **facts,
        "rows": rows,
        "measurements": measurements,
    }
    text = table(result)
    for name, content in (("json", json.dumps(result, indent=2) + "\n"), ("md", text)):
        write_text(folder / f"benchmark.{name}", content)
    print(text)


def floor(feature_size: Count = 48, size: Edge = 96) -> None:
    """Prints the least time a forward of the encoder could take on this CPU.

    Args:
        feature_size: of the encoder.
        size: edge of the crop in voxels, divisible by 32.
    """
    from .floor import print_floor  # imports MONAI, for which the other commands do not wait

    print_floor(feature_size, size)


COMMANDS = {
    "run": run,
    "parts": parts,
    "objectives": objectives,
    "floor": floor,
    "gpu": gpu,
    "gpu_table": gpu_table,
}
