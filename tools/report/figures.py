"""Draws the report's figures: training curves, Dice per organ, overlays and inpainting.

Volumes are read in the closest canonical orientation (RAS+: the three axes run to the patient's
right, front and head), so that every picture looks the same however its file was stored.
"""

import math
import textwrap
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from matplotlib import patheffects
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from nibabel.filebasedimages import ImageFileError

from common.data.open_image import open_image

INPAINTING_WINDOW_HU = (-1000.0, 1000.0)  # what pre-training sees
CT_WINDOW_HU = (-175.0, 250.0)  # soft tissue: the intensity range of the BTCV experiments
MR_IF_MIN_ABOVE = -200.0  # CT contains air (-1000 HU); an image without any is taken for MR
FIGURE_WIDTH_IN = 10.0
MAX_STAMP_PT = 18.0  # larger letters would hide the organs
SMOOTH_ABOVE_POINTS = 200  # longer training series get a running mean over the raw line

AXIS = {"axial": 2, "coronal": 1, "sagittal": 0}  # the RAS axis that a plane is perpendicular to
SIDES = {"axial": "RL", "coronal": "RL", "sagittal": "AP"}  # letters at the left and right edge

DARK, LIGHT = "#15181c", "#f2f2f2"
OUTLINE = patheffects.withStroke(linewidth=2, foreground="black")  # legible on white and black
TRAIN, VALIDATION = "#7a8794", "#0b6bcb"
# Bright on grey CT, and neighbours in the list (the two kidneys) differ strongly.
PALETTE = (
    ["#e6194b", "#3cb44b", "#ffe119", "#4f7bff", "#f58231", "#b366e6", "#42d4f4", "#f032e6"]
    + ["#bfef45", "#fabed4", "#2aa8a0", "#dcbeff", "#c07a35", "#fffac8", "#b03030", "#aaffc3"]
    + ["#a0a020", "#ffd8b1", "#5060c0", "#a9a9a9"]
)


@dataclass(frozen=True)
class Volume:
    """Holds a volume in RAS: values (X, Y, Z), affine (4, 4) in mm, its file and its channels."""

    values: np.ndarray
    affine: np.ndarray
    path: Path
    channels: int = 1  # of the file; the values are those of the first

    @property
    def spacing_mm(self) -> np.ndarray:
        """Computes voxel size (3,) in mm along right-left, front-back and head-feet."""
        return nib.affines.voxel_sizes(self.affine)


def load_volume(path: Path, channels: bool = True) -> Volume:
    """Reads a NIfTI image and turns it to RAS; of several channels it takes the first.

    Args:
        path: of a 3D file, or of a 4D one whose last axis is the channels.
        channels: whether several channels are allowed.
    """
    try:
        image = open_image(path)
        count = image.shape[3] if image.ndim == 4 else 1
        if image.ndim == 4 and (channels or count == 1):
            image = nib.funcs.four_to_three(image)[0]
        if image.ndim != 3:
            raise SystemExit(f"{path} has shape {image.shape}; give a 3D image, one value a voxel.")
        image = nib.as_closest_canonical(image)
        values = np.nan_to_num(image.get_fdata(dtype=np.float32))
    except (ImageFileError, OSError, EOFError, zlib.error) as error:
        reason = type(error).__name__
        raise SystemExit(
            f"{path} cannot be read ({reason}); write this NIfTI file again."
        ) from None
    return Volume(values, image.affine, Path(path), count)


def load_label_map(path: Path) -> Volume:
    """Reads a label map; some tools store labels as floats, so values are rounded to integers."""
    volume = load_volume(path, channels=False)
    return Volume(np.rint(volume.values).astype(np.int32), volume.affine, volume.path)


def check_same_grid(image: Volume, other: Volume) -> None:
    """Stops unless both volumes cover the same voxels, to a tenth of a voxel at the far corner."""
    same = image.values.shape == other.values.shape
    if same:
        drift_mm = np.abs(image.affine - other.affine) @ [*image.values.shape, 1]
        same = drift_mm.max() < 0.1 * image.spacing_mm.min()
    if not same:
        raise SystemExit(
            f"{image.path} and {other.path} are not on the same voxel grid (shape, spacing or "
            "origin differ); write the second one again on the grid of the first."
        )


def picture(values: np.ndarray, plane: str, index: int) -> np.ndarray:
    """Cuts one slice of an RAS volume and turns it the way radiologists look at it.

    Args:
        values: (X, Y, Z), RAS.
        plane: "axial" (anterior up) or "coronal" (superior up), both with the patient's right on
            the left of the picture; "sagittal" (superior up, anterior on the left).
        index: slice number along the axis that the plane is perpendicular to.

    Returns:
        (rows, columns), to be drawn with row 0 on top.
    """
    return np.take(values, index, axis=AXIS[plane])[::-1, ::-1].T


def picture_size_mm(volume: Volume, plane: str) -> tuple[float, float]:
    """Returns width and height in mm of a picture of this plane."""
    width_mm, height_mm = np.delete(volume.values.shape * volume.spacing_mm, AXIS[plane])
    return float(width_mm), float(height_mm)


def is_mr(values: np.ndarray) -> bool:
    """Tells MR from CT by the lowest intensity, since file formats do not say."""
    return bool(values.min() > MR_IF_MIN_ABOVE)


def intensity_window(values: np.ndarray) -> tuple[float, float]:
    """Returns the intensities of black and white: fixed HU, or percentiles 1 and 99 for MR."""
    if not is_mr(values):
        return CT_WINDOW_HU
    low, high = np.percentile(values[::2, ::2, ::2], [1, 99])
    return float(low), float(max(high, low + 1e-3))


def organ_slices(labels: np.ndarray) -> dict[str, int]:
    """Picks, per plane, the slice that cuts most labels, and of those the one with most voxels."""
    voxels = np.nonzero(labels > 0)
    if not len(voxels[0]):
        return {plane: labels.shape[axis] // 2 for plane, axis in AXIS.items()}
    found, label_index = np.unique(labels[voxels], return_inverse=True)
    slices = {}
    for plane, axis in AXIS.items():
        shape = (labels.shape[axis], len(found))
        counts = np.bincount(voxels[axis] * len(found) + label_index, minlength=math.prod(shape))
        counts = counts.reshape(shape)  # (slices, labels), voxels
        slices[plane] = int(np.lexsort((counts.sum(1), (counts > 0).sum(1)))[-1])
    return slices


def changed_slice(
    original: np.ndarray, corrupted: np.ndarray, plane: str, window: tuple[float, float]
) -> int:
    """Picks the slice in which the corruption changed most: the largest sum of |difference|.

    Intensities are clipped to the window first: a hole in air is large in HU, but not seen.
    """
    others = tuple(axis for axis in range(3) if axis != AXIS[plane])
    difference = np.clip(corrupted, *window) - np.clip(original, *window)
    return int(np.abs(difference).sum(axis=others).argmax())


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
