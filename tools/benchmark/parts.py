"""Compares single choices on this CPU: each against its alternative, in turns.

    python tools/benchmark parts
    python tools/benchmark parts --only heads,labels

Every measurement is a process of its own with freed memory kept, as in the bundles' runs; it warms
up once and times a few repetitions. The table has medians and the largest resident set.
"""

import json
import subprocess
import sys
from statistics import median
from typing import Literal

from common.cli.kinds import Count
from tools import ROOT

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


def parts(only: list[Literal[tuple(VARIANTS)]] | None = None, rounds: Count = 3) -> None:
    """Times the alternatives and prints a table of them.

    Args:
        only: heads, adamw, layout, windows, labels; several are separated by commas; without
            it all five.
        rounds: how often the alternatives take turns.
    """
    print("| | | seconds | GiB |\n|---|---|--:|--:|")
    for part in only or VARIANTS:
        found = {variant: [] for variant in VARIANTS[part]}
        for _ in range(rounds):
            for variant, given in found.items():
                command = [sys.executable, "-m", "tools.benchmark.variants", part, variant]
                done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
                if done.returncode:
                    raise SystemExit(f"{part}, {variant} has failed; it says above why.")
                given.append(json.loads(done.stdout.splitlines()[-1]))
        for variant, given in found.items():
            seconds, gib = (median(one[key] for one in given) for key in ("seconds", "gib"))
            print(f"| {TITLES[part]} | {variant} | {seconds:.3g} | {gib:.2f} |", flush=True)
