"""Times a training step of each pre-training objective, relative to that of the paper's.

    python tools/benchmark objectives
    python tools/benchmark objectives --only masked,distilled --size full --crops 2 --in_turns False

Each objective runs in a process of its own with the configs that its overlay names. All get the
same number of crops of the same size, in memory; of objectives that compare crops of a volume, two
lie beside each other. On a CPU the ratio is that of CPU seconds, all threads together, to which
other work on the machine adds little; on CUDA that of wall-clock.
"""

import json
import re
import tempfile
from statistics import median
from typing import Annotated, Literal

from common.cli.kinds import Count
from tools import ROOT

from .process import measured, say
from .sizes import OBJECTIVES

CONFIGS = ROOT / "bundles/pretrain_ssl/configs"
DEFAULT = json.loads((CONFIGS / "train.json").read_text())["objective"]  # needs no overlay
NAMES = [DEFAULT, *sorted(path.stem for path in (CONFIGS / "objectives").glob("*.json"))]
Pairs = Annotated[int, ("type", "integer"), ("minimum", 2), ("multipleOf", 2)]


def overlays_of(name: str) -> list[str]:
    """Lists the overlays of an objective, `objectives/masked`: those of its launch command.

    Raises:
        ValueError: the overlay's `_desc_` does not open with a command that ends in it.
    """
    if name == DEFAULT:
        return []
    text = json.loads((CONFIGS / f"objectives/{name}.json").read_text())["_desc_"]
    command = re.match(r'python -m monai\.bundle run --config_file "\[([^]]*)\]"', text)
    files = re.findall(r"'configs/([\w/]+)\.json'", command[1]) if command else []
    if files[:1] != ["train"] or files[-1] != f"objectives/{name}":
        raise ValueError(f"{name}.json does not open with its launch command")
    return files[1:]


def objectives(
    only: list[Literal[tuple(NAMES)]] | None = None,
    size: Literal[tuple(OBJECTIVES)] = "demo",
    crops: Pairs = 4,
    repetitions: Count = 9,
    device: Literal["cpu", "cuda"] = "cpu",
    in_turns: bool = True,
) -> None:
    """Times a step of each objective and prints a table; the paper's objective is always timed.

    Args:
        only: names of overlays in configs/objectives/; several are separated by commas; without it
            all.
        size: demo, the network and crops of demo.json; full, those of train.json.
        crops: of a step, an even number.
        repetitions: of each step.
        device: cpu or cuda.
        in_turns: all processes are there at a time and take turns, so that a slow minute is no
            objective's own; False ends each before the next begins, which needs less memory.
    """
    names = [name for name in NAMES if name == DEFAULT or name in (only or NAMES)]
    plan = OBJECTIVES[size]
    with tempfile.TemporaryDirectory(prefix="benchmark_") as folder:
        order = {"task": "objective", "device": device, "bundles": str(ROOT / "bundles")}
        order |= {"folder": folder, "config": plan["config"] | {"batch_size": crops}}
        orders = [
            order | {"side": name, "overlays": overlays_of(name) + plan["overlays"]}
            for name in names
        ]
        found = {}
        for part in [orders] if in_turns else [[each] for each in orders]:
            results, facts = measured(part, repetitions)
            found |= results
    say(", ".join(f"{key} {value}" for part in facts.values() for key, value in part.items()))
    print(table(found, "cpu_seconds" if device == "cpu" else "seconds"))


def table(found: dict[str, dict], compared: Literal["seconds", "cpu_seconds"]) -> str:
    """Formats medians, the ratio of one of them to the paper's, and peak memory as Markdown."""
    shown = "s a step" if compared == "seconds" else "CPU s a step"
    seconds = {name: median(given[compared]) for name, given in found.items()}
    lines = [
        f"| {name} | {seconds[name]:.3g} | {seconds[name] / seconds[DEFAULT]:.2f} | "
        f"{given['peak_bytes'] / 2**30:.2f} |"
        for name, given in found.items()
    ]
    header = [f"| objective | {shown} | relative to the paper's | GiB |", "|---|--:|--:|--:|"]
    return "\n".join(header + lines)
