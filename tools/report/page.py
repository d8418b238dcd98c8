"""Writes one self-contained HTML page about a training, its pictures and its scores.

    python tools/report page report.html --runs bundles/NAME/runs/RUN --evaluation evaluation.csv

Each section appears only when its input is given, so partial results make a shorter page. The
pictures are embedded: the page can be moved, mailed and opened without a network.
"""

import base64
import contextlib
import html
import io
import math
import platform
import webbrowser
from dataclasses import dataclass, field
from datetime import datetime
from importlib import metadata
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from common.atomic_write import replacing
from common.cli.kinds import Count
from common.evaluation.summary import FIRST_REGION

from . import figures
from .inputs import (
    Case,
    existing,
    find_cases,
    find_reference,
    read_evaluation,
    read_label_names,
    read_metrics,
    stem,
)

PHANTOM_STAMP = "trained on phantoms, not a segmentation to use"
PICTURE_DPI = 130
STYLE = """
:root { color-scheme: light dark; --text: #1d2329; --soft: #5a6570; --line: #dde2e7;
  --page: #ffffff; --tile: #f4f6f8; --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ec; --soft: #a2acb6; --line: #363d45;
  --page: #181b1f; --tile: #22272d; --link: #7db8f2; } }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 1000px; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { margin: 0 0 .25rem; line-height: 1.2; }
h2 { margin: 3rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { margin: 1.75rem 0 .5rem; overflow-wrap: anywhere; }
p { max-width: 46rem; } a { color: var(--link); }
.soft, figcaption { color: var(--soft); font-size: .9rem; }
.tiles { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.5rem 0; }
.tile { background: var(--tile); border-radius: 8px; padding: .75rem 1rem; flex: 1 1 12rem; }
.tile b { display: block; font-size: 1.9rem; line-height: 1.2; }
nav ul { margin: .25rem 0; padding-left: 1.25rem; }
figure { margin: 1rem 0 1.5rem; } figcaption { margin-top: .5rem; max-width: 46rem; }
img { display: block; max-width: 100%; height: auto; border-radius: 6px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { text-align: right; padding: .3rem .9rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tfoot td { font-weight: 600; }
"""
SIDES_CAPTION = (
    "Axial and coronal slices are seen as radiologists do: R, the patient's right, is on the left "
    "of the picture. In the sagittal slice A is the front (anterior) and P the back (posterior)."
)


@dataclass
class Section:
    """Holds a part of the page: its heading, its HTML, and the numbers for the top of the page."""

    heading: str
    body: str
    headlines: list[tuple[str, str]] = field(default_factory=list)  # (number, what it is)


def png_base64(figure: Figure) -> str:
    """Encodes a figure as PNG; the metadata that names the drawing library is left out."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=PICTURE_DPI, metadata={"Software": None})
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def figure_html(figure: Figure, alt: str, caption: str) -> str:
    """Embeds a figure with its caption."""
    picture = f"data:image/png;base64,{png_base64(figure)}"
    # Width as drawn: browsers would otherwise enlarge a small figure by its dots per inch.
    width_px = round(figure.get_figwidth() * 100)
    return (
        f'<figure><img src="{picture}" width="{width_px}" alt="{html.escape(alt)}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>\n"
    )


def paragraph(text: str) -> str:
    """Writes a paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>\n"


def format_score(value: float, column: str = "dice") -> str:
    """Writes a score; a dash stands for "not defined"."""
    if math.isnan(value):
        return "\N{EN DASH}"
    return f"{value:.1f}" if column.startswith("hd95") else f"{value:.3f}"


def table_html(header: list[str], rows: list[list[str]], footer: list[str]) -> str:
    """Writes a table of plain text."""

    def line(cells: list[str], tag: str = "td") -> str:
        inner = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
        return f"<tr>{inner}</tr>"

    body = "\n".join(line(row) for row in rows)
    return (
        f"<table><thead>{line(header, 'th')}</thead>\n<tbody>{body}</tbody>\n"
        f"<tfoot>{line(footer)}</tfoot></table>\n"
    )


def versions() -> str:
    """Names the versions of Python and of the installed libraries."""
    found = [f"Python {platform.python_version()}"]
    for library in ("monai", "torch", "nibabel", "numpy"):
        try:
            found.append(f"{library} {metadata.version(library)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def page_html(title: str, sections: list[Section]) -> str:
    """Writes the page: heading, headline numbers, contents, sections."""
    # The evaluation comes late on the page, but its numbers are what a reader looks for first.
    numbers = [headline for section in reversed(sections) for headline in section.headlines]
    tiles = "".join(
        f'<div class="tile"><b>{html.escape(value)}</b>{html.escape(meaning)}</div>'
        for value, meaning in numbers
    )
    contents, bodies = [], []
    for index, section in enumerate(sections, start=1):
        heading = html.escape(section.heading)
        contents.append(f'<li><a href="#section-{index}">{heading}</a></li>')
        bodies.append(f'<section id="section-{index}"><h2>{heading}</h2>\n{section.body}</section>')
    written = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style></head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n"
        f'<p class="soft">Written {html.escape(written)} with {html.escape(versions())}.</p>\n'
        + (f'<div class="tiles">{tiles}</div>\n' if tiles else "")
        + f"<nav><strong>Contents</strong><ul>{''.join(contents)}</ul></nav>\n"
        + "\n".join(bodies)
        + "\n</body></html>\n"
    )


def write_page(path: Path, text: str) -> None:
    """Writes the page whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def run_title(run: Path) -> str:
    """Names a run, with its bundle when the path is bundles/BUNDLE/runs/RUN."""
    parts = run.resolve().parts
    if len(parts) >= 4 and parts[-4] == "bundles" and parts[-2] == "runs":
        return f"{parts[-3]}: {parts[-1]}"
    return parts[-1]


def best_score(curves: dict, title: str) -> list[tuple[str, str]]:
    """Returns a run's best validation score, Dice before accuracy before PSNR."""
    for word in ("mean_dice", "dice", "accuracy", "psnr"):
        for quantity in (q for q in curves if word in q):
            series = curves[quantity].get("validation", {})
            finite = {i: v for i, v in series.items() if math.isfinite(v)}
            if finite:
                best = max(finite, key=finite.get)
                meaning = f"Best validation {figures.readable(quantity)}, iteration {best}, {title}"
                return [(f"{finite[best]:.3g}", meaning)]
    return []


def runs_section(runs: list[str]) -> Section:
    """Shows the curves of each run."""
    body = paragraph(
        "One panel for each quantity that the training wrote to metrics.csv. Losses should fall; "
        "accuracy, Dice and PSNR should rise. A validation loss that rises while the training loss "
        "still falls is overfitting."
    )
    headlines = []
    for run in (existing(run, "--runs", kind="folder") for run in runs):
        curves, title = read_metrics(run), run_title(run)
        series = [s for splits in curves.values() for s in splits.values()]
        last = max(max(s) for s in series)
        broken = sum(not math.isfinite(v) for s in series for v in s.values())
        date = datetime.fromtimestamp((run / "metrics.csv").stat().st_mtime)
        caption = f"Run {title}, up to iteration {last}, last written {date:%Y-%m-%d %H:%M}."
        if broken:
            caption += f" {broken} values are not finite: the training may have diverged."
        body += f"<h3>{html.escape(title)}</h3>\n"
        body += figure_html(figures.curves_figure(curves), f"Training curves of {title}", caption)
        headlines += best_score(curves, title)
    return Section("Training curves", body, headlines)


def shown_of(cases: list[Case], max_cases: int) -> str:
    """Says so if not every case is shown."""
    return f" The first {max_cases} of {len(cases)} cases." if len(cases) > max_cases else ""


def inpainting_section(images: str, reconstructions: str, max_cases: int) -> Section:
    """Shows the network's fill of the holes cut out of an image."""
    suffixes = ("_corrupted", "_reconstruction")
    cases = find_cases(images, reconstructions, ("--images", "--reconstructions"), suffixes)
    body = paragraph(
        "Self-supervised pre-training hides parts of an image and asks the network to fill them "
        "in. Left: the original; middle: what the network was given; right: what it made of it. "
        f"A good reconstruction continues organs and bones.{shown_of(cases, max_cases)}"
    )
    for case in cases[:max_cases]:
        image, *others = map(figures.load_volume, [case.image, *case.outputs])
        for other in others:
            figures.check_same_grid(image, other)
        body += f"<h3>{html.escape(case.name)}</h3>\n"
        caption = f"The axial and the coronal slice of {case.name} in which most was hidden. "
        caption += window_caption(image)
        figure = figures.inpainting_figure(image, *others)
        body += figure_html(figure, f"Original, corrupted, reconstructed: {case.name}", caption)
    return Section("Inpainting", body)


def window_caption(image: figures.Volume) -> str:
    """Describes how intensities became grey."""
    low, high = figures.intensity_window(image.values)
    if figures.is_mr(image.values):
        return "Grey runs from the 1st to the 99th percentile of the intensities."
    return f"Grey runs from {low:.0f} HU (black) to {high:.0f} HU (white)."


def overlay_html(image_path: Path, maps: dict[str, Path], names: dict, stamp: str = "") -> str:
    """Draws one image with its label maps, and describes the picture."""
    image = figures.load_volume(image_path)
    volumes = {title: figures.load_label_map(path) for title, path in maps.items()}
    for volume in volumes.values():
        figures.check_same_grid(image, volume)
    caption = f"{stem(image_path)}: the slices that cut the most organs. {window_caption(image)}"
    if len(maps) > 1:
        caption += " Top: the reference; bottom: the prediction."
    if image.channels > 1:
        caption += f" Of {image.channels} channels the first is shown."
    if not volumes["prediction"].values.any():
        caption += " The prediction is empty: every voxel is background."
    if stamp:
        caption += f" Stamped: {stamp}."
    figure = figures.overlay_figure(image, volumes, names, stamp)
    return figure_html(figure, f"{' and '.join(maps)} over {stem(image_path)}", caption)


def segmentation_section(
    segmented: str, predictions: str, references: str, names: dict[int, str], max_cases: int
) -> Section:
    """Shows predictions over their images, below the reference where there is one."""
    cases = find_cases(segmented, predictions, ("--segmented", "--predictions"), ("_seg",))
    truths = [None] * len(cases)
    if references:
        folder = existing(references, "--references", kind="folder")
        truths = [find_reference(case, folder) for case in cases]
        if not any(truths):
            raise SystemExit(
                f"{folder} holds no reference for {cases[0].image.name} or any other image; a "
                "reference has the image's name, or is label0001.nii.gz for img0001.nii.gz."
            )
    body = paragraph(f"Each colour is one organ. {SIDES_CAPTION}{shown_of(cases, max_cases)}")
    for case, truth in list(zip(cases, truths, strict=True))[:max_cases]:
        maps = {"reference": truth} if truth else {}
        body += f"<h3>{html.escape(case.name)}</h3>\n"
        body += overlay_html(case.image, {**maps, "prediction": case.outputs[0]}, names)
        if references and not truth:
            body += paragraph("There is no reference for this case.")
    return Section("Segmentations", body)


def mean_of_highlighted(dice: pd.Series, highlight: list[str]) -> float:
    """Averages the named organs' mean Dice; undefined organs are left out."""
    unknown = [name for name in highlight if name not in dice]
    if unknown:
        raise SystemExit(
            f"--highlight names {', '.join(unknown)}, which the evaluation does not hold; choose "
            f"from {', '.join(dice.index)}."
        )
    return dice[highlight].mean()


def evaluation_section(path: Path, table: pd.DataFrame, highlight: list[str]) -> Section:
    """Shows Dice per organ as a table and as a plot."""
    organs = table.groupby("name", sort=False)
    dice, others = organs["dice"], list(table.columns[4:])
    numbers = dice.agg(["mean", "min", "max"]).join(organs[others].mean())
    formats = ["dice"] * 3 + others
    rows = [
        [name, *map(format_score, numbers.loc[name], formats), str(count)]
        for name, count in dice.count().items()
    ]
    labels = table.loc[table["label"] < FIRST_REGION, "name"].unique()
    means, cases = numbers.loc[labels].mean(), table["case"].nunique()
    regions = ", without unions of labels" if len(labels) < len(rows) else ""
    titles = [
        f"Mean {c.replace('_', ' ').replace('nsd', 'NSD').replace('hd95', 'HD95')}" for c in others
    ]
    header = ["Organ", "Mean Dice", "Min Dice", "Max Dice", *titles, "Cases"]
    body = paragraph(
        "Dice is the overlap of prediction and reference: 1 is perfect, 0 is none. A case counts "
        "for an organ only where the score is defined. The last row is the mean of each "
        f"column{regions}."
    )
    if others:
        body += paragraph(
            "NSD is the share of both surfaces that lies within the tolerance of the other one. "
            "HD95 is the distance in mm within which 95 % of either surface lies; it leaves out "
            "the cases in which an organ was not predicted at all, so compare it beside Dice."
        )
    body += table_html(header, rows, ["Mean", *map(format_score, means, formats), str(cases)])
    dice_of = {name: values.dropna().tolist() for name, values in dice}
    caption = f"Each point is one case of {path.name}; the red bar is the organ's mean. "
    caption += "Boxes (from five cases on) span the middle half of the cases."
    body += figure_html(figures.dice_figure(dice_of), "Dice per organ", caption)
    plural = "case" if cases == 1 else "cases"
    headlines = [
        (format_score(means["mean"]), f"Mean Dice of {len(labels)} organs, {cases} {plural}")
    ]
    if highlight:
        value = mean_of_highlighted(numbers["mean"], highlight)
        headlines.insert(0, (format_score(value), f"Mean Dice of {', '.join(highlight)}"))
    return Section("Dice per organ", body, headlines)


def ct_section(ct: str, prediction: str, names: dict[int, str], stamp: str) -> Section:
    """Shows a prediction for which there is no reference, stamped across the picture."""
    body = paragraph(
        "A scan without a reference: nothing here measures how right the prediction is. "
        f"{SIDES_CAPTION}"
    )
    maps = {"prediction": existing(prediction, "--ct_prediction", "file")}
    body += overlay_html(existing(ct, "--ct", "file"), maps, names, stamp)
    return Section("A scan without reference", body)


def check_options(output: str, pairs: dict[str, tuple[str, str]], others: list[str]) -> None:
    """Stops when no input was named, or only half of a pair, or no page to write."""
    if not output.endswith(".html"):
        raise SystemExit(f"{output} does not end in .html; name the page to write first.")
    for options, (first, second) in pairs.items():
        if bool(first) != bool(second):
            raise SystemExit(f"{options} go together; give both or neither.")
    if not any(others) and not any(first for first, _ in pairs.values()):
        raise SystemExit(
            "Nothing to report: give at least one of --runs, --images, --segmented, --evaluation "
            "and --ct."
        )


def page(
    output: str,
    *,
    runs: list[str] | None = None,
    images: str = "",
    reconstructions: str = "",
    segmented: str = "",
    predictions: str = "",
    references: str = "",
    evaluation: str = "",
    highlight: list[str] | None = None,
    ct: str = "",
    ct_prediction: str = "",
    stamp: str = PHANTOM_STAMP,
    labels_from: str = "",
    title: str = "Swin UNETR: report",
    max_cases: Count = 3,
    open_browser: bool = False,
) -> None:
    """Writes a self-contained HTML page; each section appears only when its input is given.

    Args:
        output: the page to write, a name that ends in .html.
        runs: run folders with a metrics.csv, separated by commas.
        images: image, or folder of images, that were reconstructed.
        reconstructions: folder with STEM_corrupted.nii.gz and STEM_reconstruction.nii.gz, in HU.
        segmented: image, or folder of images, that were segmented.
        predictions: folder with STEM_seg.nii.gz.
        references: folder with reference label maps: the image's name, or label0001 for img0001.
        evaluation: CSV file with at least the columns case,label,name,dice.
        highlight: organ names, separated by commas, whose mean Dice is shown at the top.
        ct: an image without a reference.
        ct_prediction: the prediction for it.
        stamp: text written across the picture of that prediction; empty for none.
        labels_from: metadata.json of a bundle, for the organ names.
        title: heading of the page.
        max_cases: pictures in each section, at most.
        open_browser: show the page in the browser.
    """
    pairs = {
        "--images and --reconstructions": (images, reconstructions),
        "--segmented and --predictions": (segmented, predictions),
        "--ct and --ct_prediction": (ct, ct_prediction),
    }
    check_options(output, pairs, [runs, evaluation])
    if (references and not segmented) or (highlight and not evaluation):
        raise SystemExit("--references needs --segmented, and --highlight needs --evaluation.")
    names = {}
    if evaluation:
        table = read_evaluation(existing(evaluation, "--evaluation", "file"))
        names = dict(zip(table["label"].tolist(), table["name"]))
    if labels_from:
        names |= read_label_names(existing(labels_from, "--labels_from", "file"))
    sections = []
    if runs:
        sections.append(runs_section(runs))
    if images:
        sections.append(inpainting_section(images, reconstructions, max_cases))
    if segmented:
        sections.append(segmentation_section(segmented, predictions, references, names, max_cases))
    if evaluation:
        sections.append(evaluation_section(Path(evaluation), table, highlight or []))
    if ct:
        sections.append(ct_section(ct, ct_prediction, names, stamp))
    write_page(Path(output), content := page_html(title, sections))
    print(f"report: {output} ({content.count('<figure>')} figures)")
    if open_browser:  # a machine without a browser is no reason to fail
        with contextlib.suppress(webbrowser.Error, OSError):
            webbrowser.open(Path(output).resolve().as_uri())
