"""Draws the figures of images: labels over their image, and what a pre-training restores."""

import math

import numpy as np
from matplotlib.figure import Figure

from .panels import LIGHT, draw_labels, draw_slice, draw_stamp, organ_legend, panel_grid, row_title
from .slices import AXIS, changed_slice, organ_slices, picture, picture_size_mm
from .volumes import Volume, intensity_window

INPAINTING_WINDOW_HU = (-1000.0, 1000.0)  # what pre-training sees


def overlay_figure(
    image: Volume, label_maps: dict[str, Volume], names: dict[int, str], stamp: str = ""
) -> Figure:
    """Draws axial, coronal and sagittal slices through the organs, a row for each label map.

    Args:
        image: CT in HU, or MR.
        label_maps: row title to label map on the image's grid; the first that is not empty
            decides which slices are shown.
        names: label to organ name, for the legend.
        stamp: text written across every panel; empty for none.
    """
    guide = next((m for m in label_maps.values() if m.values.any()), image)
    slices = organ_slices(guide.values if guide is not image else np.zeros_like(image.values))
    sizes_mm = [picture_size_mm(image, plane) for plane in AXIS]
    # One scale for all planes: the axial picture of a short scan is higher than the others.
    widths_mm, heights_mm = zip(*sizes_mm, strict=True)
    cuts = [[picture(m.values, *cut) for cut in slices.items()] for m in label_maps.values()]
    found = {int(label) for row in cuts for cut in row for label in np.unique(cut) if label > 0}
    figure, grid = panel_grid(
        widths_mm, [max(heights_mm)] * len(label_maps), math.ceil(len(found) / 5)
    )
    window = intensity_window(image.values)
    for row, title, pictures in zip(grid, label_maps, cuts, strict=True):
        row_title(figure, row[0], title)
        for axes, plane, labels in zip(row, AXIS, pictures, strict=True):
            draw_slice(axes, image, plane, slices[plane], window)
            draw_labels(axes, labels)
            if stamp:
                draw_stamp(axes, stamp)
    for axes, plane in zip(grid[0], AXIS, strict=True):
        axes.set_title(plane, color=LIGHT, fontsize=11)
    if found:
        organ_legend(figure, sorted(found), names)
    return figure


def inpainting_figure(original: Volume, corrupted: Volume, reconstructed: Volume) -> Figure:
    """Draws original, corrupted and reconstructed volumes side by side where most was dropped."""
    planes = ("axial", "coronal")
    sizes_mm = [picture_size_mm(original, plane) for plane in planes]
    heights = [height_mm / width_mm for width_mm, height_mm in sizes_mm]
    figure, grid = panel_grid([1.0] * 3, heights)
    window = INPAINTING_WINDOW_HU
    for row, plane in zip(grid, planes, strict=True):
        index = changed_slice(original.values, corrupted.values, plane, window)
        row_title(figure, row[0], plane)
        for axes, volume in zip(row, (original, corrupted, reconstructed), strict=True):
            draw_slice(axes, volume, plane, index, window)
    for axes, title in zip(grid[0], ("original", "corrupted", "reconstructed"), strict=True):
        axes.set_title(title, color=LIGHT, fontsize=11)
    return figure
