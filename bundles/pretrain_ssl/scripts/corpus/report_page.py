"""Renders a corpus' report.html: one page that names no source and no patient."""

import base64
import html
import io
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import nibabel as nib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imsave

from .prepare_volume import HISTOGRAM_BINS, HISTOGRAM_HU
from .records import volume_path
from .tables import Table

WINDOW_HU = (-1000, 1000)  # of pre-training
MOST_PICTURES = 240  # on the contact sheet; of a larger corpus an even sample
BAR = "#0b6bcb"
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:1100px;padding:0 1em;"
    "color:#15181c;background:#fff}table{border-collapse:collapse}"
    "td,th{padding:.2em 1em .2em 0;text-align:left;vertical-align:top}"
    "td.n,th.n{text-align:right}img.plot{max-width:100%}"
    ".beside{display:flex;gap:4em;font-size:13px}"
    ".sheet{display:flex;flex-wrap:wrap;gap:4px}.sheet img{height:132px;background:#000}"
)


def render(destination: Path, table: Table) -> str:
    """Renders the page as HTML with its pictures inside; the same for the same corpus."""
    files = sum(row["files"] for row in (*table.accepted, *table.rejected)) + table.others
    parts = [
        f"<p>{len(table.accepted)} volumes of {len(table.patients)} patients went in, "
        f"{len(table.rejected)} did not. The source has {files} files, {table.others} of them no "
        "images.</p>",
        '<div class="beside"><div>',
        *_rejections(table),
        "</div><div>",
        *_repairs(table),
        "</div></div>",
    ]
    if table.accepted:
        parts += ["<h2>Spacing, size, HU</h2>", _plots(table), *_contact_sheet(destination, table)]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f"<title>Corpus</title>\n<style>{STYLE}</style></head>\n"
        f"<body><h1>Corpus</h1>\n{body}\n</body></html>\n"
    )


def _rejections(table: Table) -> list[str]:
    """Counts rejected volumes and files by reason; private/rejected.csv has the details."""
    counts = defaultdict(lambda: [0, 0])
    for row in table.rejected:
        counts[row["kind"]][0] += 1
        counts[row["kind"]][1] += row["files"]
    rows = sorted((-n, kind, files) for kind, (n, files) in counts.items())
    return _table(
        "Not accepted",
        ("reason", "volumes", "files"),
        ((kind, -n, files) for n, kind, files in rows),
    )


def _repairs(table: Table) -> list[str]:
    """Counts volumes by repair; private/accepted.csv has the figures."""
    counts = Counter(
        repair.partition(":")[0] for record in table.accepted for repair in record["repairs"]
    )
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    return _table("Mended", ("what", "volumes"), rows)


def _table(title: str, header: Iterable[str], rows: Iterable[tuple]) -> list[str]:
    """Renders a heading and a table, or nothing without rows; numbers stand to the right."""

    def cells(values: Iterable, tag: str) -> str:
        values = enumerate(map(str, values))
        return "".join(
            f"<{tag}{' class=n' if n else ''}>{html.escape(value)}</{tag}>" for n, value in values
        )

    lines = [f"<tr>{cells(row, 'td')}</tr>" for row in rows]
    head = f"<tr>{cells(header, 'th')}</tr>"
    return [f"<h2>{title}</h2>", f"<table>{head}{''.join(lines)}</table>"] if lines else []


def _plots(table: Table) -> str:
    """Plots histograms of the originals' spacing, the prepared sizes, and HU over all voxels."""
    records = table.accepted
    spacing = np.array([sorted(record["spacing_mm"]) for record in records])
    size = np.array([record["prepared_shape"] for record in records])
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    axes = figure.subplots(2, 3)
    for axis, values, title in (
        (axes[0, 0], spacing[:, 0], "finest spacing of the originals, mm"),
        (axes[0, 1], spacing[:, 2], "coarsest spacing of the originals, mm"),
        *((axes[1, n], size[:, n], f"prepared size along {'xyz'[n]}, voxels") for n in range(3)),
    ):
        axis.hist(values, bins=30, color=BAR)
        axis.set_title(title, fontsize=10)
        axis.set_ylabel("volumes")
    counts = np.sum([record["histogram"] for record in records], axis=0)
    edges = np.linspace(*HISTOGRAM_HU, HISTOGRAM_BINS + 1)
    axes[0, 2].stairs(counts / counts.sum(), edges, fill=True, color=BAR)
    axes[0, 2].set(ylabel="share of voxels", ylim=(0, None))
    axes[0, 2].set_title("HU of the prepared volumes", fontsize=10)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return f'<img class="plot" alt="histograms" src="{_embed_png(file)}">'


def _contact_sheet(destination: Path, table: Table) -> list[str]:
    """Renders the middle coronal and axial slices of the volumes, under their ids."""
    ids = sorted(record["id"] for record in table.accepted)
    step = max(1, -(-len(ids) // MOST_PICTURES))
    pictures = []
    for volume_id in ids[::step]:
        values = nib.load(volume_path(str(destination), volume_id)).dataobj.get_unscaled()
        middle = [n // 2 for n in values.shape]
        file = io.BytesIO()
        planes = (values[:, middle[1]], values[:, :, middle[2]])
        imsave(file, _side_by_side(*planes), cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1])
        pictures.append(f'<img title="{volume_id}" alt="{volume_id}" src="{_embed_png(file)}">')
    sample = "all volumes" if step == 1 else f"every {step}th volume by its id"
    return [
        "<h2>Contact sheet</h2>",
        f"<p>{len(pictures)} pictures: the middle coronal and axial slice of {sample}, the "
        f"patient's right at the left, {WINDOW_HU[0]} to {WINDOW_HU[1]} HU. Point at one for its "
        "id.</p>",
        f'<div class="sheet">{"".join(pictures)}</div>',
    ]


def _side_by_side(*planes: np.ndarray) -> np.ndarray:
    """Joins planes of a RAS volume to one picture: head and front up, the right at the left.

    Args:
        planes: (X, Z) and (X, Y).
    """
    slices = [np.asarray(plane).T[::-1, ::-1] for plane in planes]
    height = max(plane.shape[0] for plane in slices)
    padded = [
        np.pad(plane, ((0, height - plane.shape[0]), (0, 0)), constant_values=WINDOW_HU[0])
        for plane in slices
    ]
    return np.hstack(padded)


def _embed_png(file: io.BytesIO) -> str:
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
