# generated from common/evaluation/boxplots.py, do not edit: `make copies`
"""Draws box plots of an evaluation: the spread of the cases, organ by organ."""

from io import BytesIO

import numpy as np
import pandas as pd

from .summary import metric_columns

BOX, POINT = "#5a6570", "#0b6bcb"


def boxplots(table: pd.DataFrame) -> bytes | None:
    """Draws a PNG with a panel for each metric and a row for each organ; None without matplotlib.

    Boxes span the middle half of the cases, and their line is the median. The whiskers reach the
    farthest case within 1.5 times the box. Every case is a point.

    Args:
        table: a row for each case and organ; undefined metrics are NaN.
    """
    try:
        from matplotlib.figure import Figure  # optional: an evaluation does not fail without it
    except ImportError:
        return None
    organs = dict(list(table.groupby("name", sort=False)))
    columns = metric_columns(table)
    size = (2.2 + 2.7 * len(columns), 1.3 + 0.36 * len(organs))
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    axes_of_columns = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for axes, column in zip(axes_of_columns, columns):
        _draw_panel(axes, column, [rows[column].dropna() for rows in organs.values()])
    axes_of_columns[0].set_yticks(range(len(organs)), organs)
    axes_of_columns[0].set_ylim(len(organs) - 0.4, -0.6)  # the first organ on top
    png = BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def _draw_panel(axes, column: str, values: list[pd.Series]) -> None:
    """Draws one metric of all organs; an organ in which it is never defined has an empty row.

    Args:
        axes: matplotlib's.
        column: the metric, such as `nsd_1mm`.
        values: those of each organ in which the metric is defined.
    """
    places = [place for place, of_organ in enumerate(values) if len(of_organ)]
    line = {"color": BOX, "linewidth": 1.1}
    if places:
        axes.boxplot(
            [values[place] for place in places],
            positions=places,
            orientation="horizontal",
            widths=0.6,
            showfliers=False,  # every case is drawn anyway
            manage_ticks=False,
            medianprops={"color": "black", "linewidth": 1.6},
            **dict.fromkeys(("boxprops", "whiskerprops", "capprops"), line),
        )
    for place in places:
        # side by side in a fixed order, so that equal cases do not hide each other
        beside = place + 0.18 * np.sin(2.4 * np.arange(len(values[place])))
        axes.plot(values[place], beside, "o", color=POINT, alpha=0.55, markersize=3.5, mew=0)
    if column == "hd95_mm":
        axes.set_title("HD95 (mm, less is better)", fontsize=10)
        axes.set_xlim(left=-0.02 * axes.get_xlim()[1])
    else:
        name = {"dice": "Dice"}.get(column, column.replace("nsd_", "NSD at ").replace("mm", " mm"))
        axes.set_title(name, fontsize=10)
        axes.set_xlim(-0.02, 1.02)
    axes.grid(axis="x", color="#dde2e7", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
