"""Draws curves of several runs in one picture: a panel for each figure, a line for each run.

    python tools/report compare_runs curves.png --runs runs/default,runs/official \
        --figures train/contrastive_loss,validation/rotation_accuracy

A figure is a name in the runs' metrics.csv. Runs are called by their folders' names.
"""

import math
from pathlib import Path

from matplotlib.figure import Figure

from common.atomic_write import check_writable, explained, replacing
from common.cli.kinds import Count
from common.errors import InputError

from .curves import readable, style_panel
from .inputs import existing, read_metrics

PANEL_INCHES = (3.4, 2.5)
COLOURS = ("#0b6bcb", "#d1495b", "#2a9d8f", "#8d6a9f", "#e09f3e", "#5b6570")
DPI = 120


def compare_runs(output: str, *, runs: list[str], figures: list[str], columns: Count = 3) -> None:
    """Draws curves of several runs: a panel for each figure, a line for each run.

    Args:
        output: the picture to write, a name that ends in .png.
        runs: run folders, separated by commas.
        figures: names of metrics.csv, such as `train/loss`, separated by commas.
        columns: panels in a row.
    """
    if not output.endswith(".png"):
        raise InputError(f"{output} does not end in .png; name the picture to write first.")
    check_writable(files=[output])
    folders = [existing(run, "--runs") for run in runs]
    curves = {run: read_metrics(run) for run in folders}
    for name in figures:
        split, _, quantity = name.rpartition("/")
        if not any(split in found.get(quantity, {}) for found in curves.values()):
            raise InputError(f"no run has a figure {name}; metrics.csv has the names.")
    rows, columns = math.ceil(len(figures) / columns), min(columns, len(figures))
    size = (PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows)
    picture = Figure(figsize=size, layout="constrained")
    panels = picture.subplots(rows, columns, squeeze=False).flatten()
    for axes, name in zip(panels, figures):
        split, _, quantity = name.rpartition("/")
        for run, colour in zip(folders, COLOURS * len(folders)):
            series = sorted(curves[run].get(quantity, {}).get(split, {}).items())
            if series:
                axes.plot(*zip(*series), color=colour, lw=1.5, label=run.name)
        style_panel(axes, f"{readable(quantity)}, {split}".strip(", "))
        axes.set_xlabel("iteration", fontsize=8)
        axes.legend(fontsize=8, frameon=False)
    for axes in panels[len(figures) :]:
        axes.set_visible(False)
    save_png(picture, Path(output))
    print(f"{output}: {len(figures)} figures of {len(folders)} runs")


def save_png(picture: Figure, path: Path) -> Path:
    """Writes a figure as PNG, the same bytes for the same figure; returns the path.

    Raises:
        InputError: it cannot be written.
    """
    with explained(path), replacing(path) as temporary:
        picture.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
    return path
