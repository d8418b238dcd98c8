"""Draws grey slices, their labels and a warning into the panels of a dark figure."""

import math
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib import patheffects
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .curves import FIGURE_WIDTH_IN
from .slices import picture, picture_size_mm
from .volumes import Volume

MAX_STAMP_PT = 18.0  # larger letters would hide the organs
SIDES = {"axial": "RL", "coronal": "RL", "sagittal": "AP"}  # letters at the left and right edge
DARK, LIGHT = "#15181c", "#f2f2f2"
OUTLINE = patheffects.withStroke(linewidth=2, foreground="black")  # legible on white and black
# Bright on grey CT, and neighbours in the list (the two kidneys) differ strongly.
PALETTE = (
    ["#e6194b", "#3cb44b", "#ffe119", "#4f7bff", "#f58231", "#b366e6", "#42d4f4", "#f032e6"]
    + ["#bfef45", "#fabed4", "#2aa8a0", "#dcbeff", "#c07a35", "#fffac8", "#b03030", "#aaffc3"]
    + ["#a0a020", "#ffd8b1", "#5060c0", "#a9a9a9"]
)


def label_colour(label: int) -> str:
    """Returns the colour of a label, the same in every picture of the report."""
    return PALETTE[(label - 1) % len(PALETTE)]


def panel_grid(widths: Sequence[float], heights: Sequence[float], legend_rows: int = 0) -> tuple:
    """Lays out a dark figure whose panels have the given relative widths and heights.

    Returns:
        The figure and its axes, (len(heights), len(widths)).
    """
    left_in, top_in, bottom_in, gap_in = 0.35, 0.35, 0.1 + 0.26 * legend_rows, 0.06
    gaps_in = gap_in * (len(widths) - 1), gap_in * (len(heights) - 1)
    room_in = FIGURE_WIDTH_IN - left_in - 0.1 - gaps_in[0]
    scale = min(room_in / sum(widths), 10.0 / sum(heights))  # a tall body must fit on a screen
    panels_in = gaps_in[0] + scale * sum(widths), gaps_in[1] + scale * sum(heights)
    width_in = max(left_in + panels_in[0] + 0.1, 7.0)  # five organ names need this much
    height_in = top_in + panels_in[1] + bottom_in
    figure = Figure(figsize=(width_in, height_in), facecolor=DARK)
    layout = {
        "width_ratios": widths,
        "height_ratios": heights,
        "left": left_in / width_in,
        "right": (left_in + panels_in[0]) / width_in,
        "top": 1 - top_in / height_in,
        "bottom": bottom_in / height_in,
        "wspace": gap_in / (scale * np.mean(widths)),
        "hspace": gap_in / (scale * np.mean(heights)),
    }
    return figure, figure.subplots(len(heights), len(widths), squeeze=False, gridspec_kw=layout)


def draw_slice(axes, image: Volume, plane: str, index: int, window: tuple[float, float]) -> None:
    """Draws one grey slice with its true proportions and the letters of the patient's sides."""
    width_mm, height_mm = picture_size_mm(image, plane)
    grey = picture(image.values, plane, index)
    aspect = (height_mm / grey.shape[0]) / (width_mm / grey.shape[1])
    axes.imshow(grey, cmap="gray", vmin=window[0], vmax=window[1], aspect=aspect)
    axes.set_axis_off()
    for x, letter in zip((0.02, 0.98), SIDES[plane], strict=True):
        side = "left" if x < 0.5 else "right"
        text = axes.text(x, 0.5, letter, color=LIGHT, ha=side, va="center", weight="bold")
        text.set(transform=axes.transAxes, path_effects=[OUTLINE])


def draw_labels(axes, labels: np.ndarray) -> None:
    """Draws the labels of one picture over it, half transparent with an outline."""
    fill = np.zeros((*labels.shape, 4))
    for label in (int(label) for label in np.unique(labels) if label > 0):
        mask = labels == label
        fill[mask] = to_rgba(label_colour(label), 0.4)
        if not mask.all():
            axes.contour(mask, levels=[0.5], colors=[label_colour(label)], linewidths=1.1)
    axes.imshow(fill, aspect=axes.get_aspect(), interpolation="nearest")


def draw_stamp(axes, stamp: str) -> None:
    """Writes a warning across the picture itself, so that a copied picture keeps it."""
    axes.apply_aspect()  # until then the axes have not shrunk to the picture
    panel = axes.get_window_extent().transformed(axes.figure.dpi_scale_trans.inverted())
    angle = min(math.atan2(panel.height, panel.width), math.radians(35))
    size_pt, lines = 0.0, ""
    for width in (14, 20, 28, 50):  # letters in a line: the wrapping with the largest letters
        block = textwrap.wrap(stamp, width)
        # A bold letter is about 0.7 of the font size wide, a line 1.3 high; the block is turned.
        wide, high = 0.7 * max(map(len, block)), 1.3 * len(block)
        across = wide * math.cos(angle) + high * math.sin(angle)
        up = wide * math.sin(angle) + high * math.cos(angle)
        fit_pt = 72 * min(panel.width / across, panel.height / up)
        size_pt, lines = max((size_pt, lines), (fit_pt, "\n".join(block)))
    size_pt = min(size_pt, MAX_STAMP_PT)
    text = axes.text(0.5, 0.5, lines, transform=axes.transAxes, fontsize=size_pt, color="white")
    text.set(
        alpha=0.6,
        multialignment="center",
        rotation=math.degrees(angle),
        ha="center",
        va="center",
        weight="bold",
    )
    text.set(path_effects=[patheffects.withStroke(linewidth=1.5, foreground="black", alpha=0.5)])


def row_title(figure: Figure, axes, title: str) -> None:
    """Writes a row's title upright in the left margin."""
    box = axes.get_position()
    centre = (box.y0 + box.y1) / 2
    figure.text(0.012, centre, title, color=LIGHT, rotation=90, ha="left", va="center")


def organ_legend(figure: Figure, labels: list[int], names: dict[int, str]) -> None:
    """Writes the organ names with their colours below the panels."""
    handles = [Patch(color=label_colour(n), label=names.get(n, f"label {n}")) for n in labels]
    figure.legend(
        handles=handles, ncols=5, loc="lower center", frameon=False, labelcolor=LIGHT, fontsize=9
    )
