"""Writes HTML: paragraphs, tables, figures inside the page, and the page around its sections."""

import base64
import html
import io
import platform
from dataclasses import dataclass, field
from datetime import datetime
from importlib import metadata
from pathlib import Path

from matplotlib.figure import Figure

from common.atomic_write import explained, replacing

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
    """Writes the page whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    with explained(path), replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
