"""Draws the figures of numbers: training curves, and Dice of each organ."""

import math

import numpy as np
from matplotlib.figure import Figure

FIGURE_WIDTH_IN = 10.0
SMOOTH_ABOVE_POINTS = 200  # longer training series get a running mean over the raw line
TRAIN, VALIDATION = "#7a8794", "#0b6bcb"


def is_loss(quantity: str) -> bool:
    """Tells whether a quantity should fall (a loss) rather than rise (a score)."""
    return "loss" in quantity


def readable(quantity: str) -> str:
    """Writes a quantity of metrics.csv as words: mean_dice becomes mean Dice."""
    words = quantity.replace("_", " ").replace("dice", "Dice").replace("psnr", "PSNR (dB)")
    return words.replace("ssim", "SSIM")


def curves_figure(curves: dict[str, dict[str, dict[int, float]]]) -> Figure:
    """Draws one panel for each quantity: losses first, then scores, the learning rate last.

    Args:
        curves: quantity to split ("train", "validation", or "" if the name has none) to
            {iteration: value}.
    """
    quantities = sorted(curves, key=lambda q: (q == "learning_rate", not is_loss(q)))
    columns = min(3, len(quantities))
    rows = math.ceil(len(quantities) / columns)
    width_in = FIGURE_WIDTH_IN * max(columns, 1.5) / 3
    figure = Figure(figsize=(width_in, 2.5 * rows), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)  # inches around each panel
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, quantity in zip(panels, quantities, strict=False):
        draw_curves(axes, quantity, curves[quantity])
    for axes in panels[len(quantities) :]:
        axes.set_visible(False)
    return figure


def draw_curves(axes, quantity: str, splits: dict[str, dict[int, float]]) -> None:
    """Draws the series of one quantity; validation has markers, since it is computed rarely."""
    for split, series in splits.items():
        iterations, values = np.array(sorted(series.items()), dtype=float).T
        validation = split == "validation"
        colour = VALIDATION if validation else TRAIN
        marker = "o" if validation or len(values) < 3 else ""
        long = len(values) > SMOOTH_ABOVE_POINTS and is_loss(quantity) and not validation
        alpha = 0.35 if long else 1.0
        label = None if long else split
        axes.plot(
            iterations, values, marker + "-", c=colour, ms=3.5, lw=1.5, alpha=alpha, label=label
        )
        if long:
            width = len(values) // 50
            smooth = np.convolve(values, np.ones(width) / width, mode="valid")
            middle = iterations[width // 2 : width // 2 + len(smooth)]
            axes.plot(
                middle, smooth, c="#333c46", lw=1.5, label=f"{split}, running mean".strip(", ")
            )
    style_panel(axes, readable(quantity))
    axes.set_xlabel("iteration", fontsize=8)
    if "dice" in quantity or "accuracy" in quantity:
        axes.set_ylim(-0.03, 1.03)
    if quantity == "learning_rate":
        axes.yaxis.set_major_formatter("{x:.1e}")
    if any(splits) and quantity != "learning_rate":
        axes.legend(fontsize=8, frameon=False)


def style_panel(axes, title: str) -> None:
    """Gives a panel a title on the left, a light grid and no box."""
    axes.set_title(title, fontsize=10, loc="left", weight="bold")
    axes.tick_params(labelsize=8)
    axes.grid(color="#e4e7ea", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def dice_figure(dice_of: dict[str, list[float]]) -> Figure:
    """Draws every case's Dice as a point, a row for each organ; a bar marks the organ's mean.

    Args:
        dice_of: organ name to its Dice values, [0, 1], of the cases where it is defined.
    """
    figure = Figure(
        figsize=(0.75 * FIGURE_WIDTH_IN, 0.8 + 0.3 * len(dice_of)), layout="constrained"
    )
    axes = figure.subplots()
    for row, values in enumerate(dice_of.values()):
        if len(values) >= 5:  # quartiles of fewer cases say nothing
            style = {"color": "#9aa5b1"}
            axes.boxplot(
                values,
                positions=[row],
                orientation="horizontal",
                widths=0.6,
                showfliers=False,
                boxprops=style,
                whiskerprops=style,
                capprops=style,
                medianprops=style,
            )
        # Spread by rank within the row, so that equal values do not hide each other.
        spread = 0.2 * np.linspace(-1, 1, len(values)) if len(values) > 1 else [0.0]
        axes.scatter(
            values, row + np.array(spread[: len(values)]), s=14, color=VALIDATION, alpha=0.7
        )
        if values:
            axes.plot([np.mean(values)] * 2, [row - 0.35, row + 0.35], color="#d1495b", lw=2)
    axes.set_yticks(range(len(dice_of)), list(dice_of), fontsize=9)
    axes.set_ylim(len(dice_of) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    style_panel(axes, "Dice per organ")
    axes.tick_params(axis="y", labelsize=9)
    return figure
