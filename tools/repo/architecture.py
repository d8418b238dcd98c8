"""Draws the packages of the code and their imports, and lists them in docs/architecture.md.

A room is a package of `common/`, or a package or module of a bundle's own `scripts/`. Imports are
read from the source, without running it. The two modules beside the packages of `common/` are left
out, since nearly all others import them.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from common.atomic_write import explained, replacing, write_text
from common.errors import InputError
from tools import ROOT

from .copies import EVERY_BUNDLE, HEADER, PACKAGES

PAGE, PICTURE = "docs/architecture.md", "docs/architecture.png"
COMMAND = "python tools/repo architecture"
BEGIN, END = f"<!-- written by `{COMMAND}` -->\n", "<!-- end -->\n"

# Where the packages of common/ stand in the picture: column, row from below. A package stands
# higher than those that it imports.
PLACES = {
    "network": (0.0, 0),
    "cli": (3.0, 0),
    "runtime": (4.2, 1),
    "data": (3.4, 2),
    "weights": (0.9, 3),
    "segmentation": (4.6, 3),
    "training": (0.0, 4),
    "inference": (2.2, 4),
    "evaluation": (4.4, 4),
}
SHARED, FOR_SEGMENTATION, OWN, INK = "#cfe2f3", "#d9ead3", "#fff2cc", "#333333"
BOX_WIDTH, BOX_HEIGHT = 1.06, 0.42


@dataclass(frozen=True)
class Room:
    """Describes a package or module.

    Args:
        place: `common`, or the bundle.
        name: of the package or module in it.
        about: the first line of its docstring.
        imports: names of the rooms that it imports, sorted; rooms of `common/` and the bundle's own
            have different names.
    """

    place: str
    name: str
    about: str
    imports: tuple[str, ...]


def find_rooms(root: Path = ROOT) -> list[Room]:
    """Lists the rooms of `common/`, then those of each bundle, by name."""
    shared = _paths(root / "common", only_packages=True)
    rooms = [_room("common", path, shared) for path in shared.values()]
    for bundle in PACKAGES:
        own = _paths(root / "bundles" / bundle / "scripts")
        rooms += [_room(bundle, path, own | shared) for path in own.values()]
    return rooms


def _paths(folder: Path, only_packages: bool = False) -> dict[str, Path]:
    """Finds packages, and modules that are neither generated nor dunder, by name."""
    paths = [path.parent for path in folder.glob("*/__init__.py") if path.parent.name != "common"]
    if not only_packages:
        generated = HEADER.partition("{")[0]
        modules = [path for path in folder.glob("*.py") if not path.name.startswith("__")]
        paths += [path for path in modules if not path.read_text().startswith(generated)]
    return {path.stem: path for path in sorted(paths)}


def _room(place: str, path: Path, known: dict[str, Path]) -> Room:
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    first = path / "__init__.py" if path.is_dir() else path
    about = (ast.get_docstring(ast.parse(first.read_text())) or "").partition("\n")[0]
    names = {name for file in files for name in _imported(file, path.parent)}
    return Room(place, path.stem, about, tuple(sorted(names & known.keys() - {path.stem})))


def _imported(file: Path, top: Path) -> set[str]:
    """Names what a file imports relatively: the part below `top`, or below its copy of common/."""
    package, names = file.relative_to(top).parts[:-1], set()
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = package[: len(package) + 1 - node.level]
        for alias in node.names:
            path = [*base, *(node.module or alias.name).split("."), alias.name]
            names.add(path[1] if path[0] == "common" else path[0])
    return names


def edges(rooms: list[Room]) -> str:
    """Lists each room and its imports, a line each; the picture carries it as its description."""
    return "\n".join(f"{room.place}/{room.name}: {', '.join(room.imports)}" for room in rooms)


def table(rooms: list[Room]) -> str:
    """Makes the page's table of rooms."""
    lines = ["| In | Package or module | What it does | Imports |", "|---|---|---|---|"]
    for room in rooms:
        lines.append(f"| {room.place} | {room.name} | {room.about} | {', '.join(room.imports)} |")
    return "\n".join(lines) + "\n"


def with_table(page: str, rooms: list[Room]) -> str:
    """Puts the table into the page's text, between its two markers."""
    block = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.S)
    return block.sub(lambda _: BEGIN + table(rooms) + END, page)


def architecture(root: Path = ROOT) -> None:
    """Draws docs/architecture.png, and writes the table of rooms into docs/architecture.md.

    Args:
        root: the repository.
    """
    rooms = find_rooms(root)
    for room in rooms:
        if room.place == "common" and room.name not in PLACES:
            raise InputError(
                f"{room.name} has no place in the picture; add one to PLACES in "
                "tools/repo/architecture.py."
            )
    page = root / PAGE
    text = with_table(page.read_text(), rooms)
    write_text(page, text)
    with explained(root / PICTURE), replacing(root / PICTURE) as temporary:
        save_picture(rooms, temporary)


def save_picture(rooms: list[Room], path: Path) -> None:
    """Saves the picture as PNG, 1,200 pixels wide, with `edges` as its description."""
    metadata = {"Description": edges(rooms), "Software": None}
    draw(rooms).savefig(path, format="png", dpi=100, metadata=metadata)


def draw(rooms: list[Room]):
    """Draws the picture; the same rooms give the same picture."""
    from matplotlib.figure import Figure  # slow, and the other commands do without

    figure = Figure(figsize=(12, 6.4), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(-0.75, 8.35), ylim=(-0.75, 5.0))
    axes.text(-0.6, 4.68, "common/: originals, copied into the bundles", size=15, weight="bold")
    for room in [room for room in rooms if room.place == "common"]:
        _draw_imports(axes, room)
        colour = SHARED if room.name in EVERY_BUNDLE else FOR_SEGMENTATION
        _draw_box(axes, PLACES[room.name], BOX_WIDTH, BOX_HEIGHT, colour, room.name)
    axes.text(5.4, 4.68, "bundles/: each one's own", size=15, weight="bold")
    top = 4.5
    for bundle in PACKAGES:
        top = _draw_bundle(axes, bundle, [r for r in rooms if r.place == bundle], top)
    _draw_key(axes)
    return figure


def _draw_box(axes, centre, width: float, height: float, colour: str, text: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (centre[0] - width / 2, centre[1] - height / 2)
    style = "round,pad=0,rounding_size=0.07"
    axes.add_patch(FancyBboxPatch(corner, width, height, style, fc=colour, ec=INK, zorder=3))
    axes.text(*centre, text, size=13, ha="center", va="center", zorder=4)


def _draw_imports(axes, room: Room) -> None:
    x, y = PLACES[room.name]
    for name in room.imports:
        to_x, to_y = PLACES[name]
        style = {"arrowstyle": "-|>", "color": "#666666", "lw": 1.4, "mutation_scale": 15}
        axes.annotate("", (to_x, to_y + 0.22), (x, y - 0.21), arrowprops=style, zorder=2)


def _draw_bundle(axes, bundle: str, rooms: list[Room], top: float) -> float:
    """Draws a bundle's rooms below `top`; returns where the next bundle begins."""
    axes.text(5.4, top - 0.16, bundle, size=13, weight="bold", va="center")
    for index, room in enumerate(rooms):
        y = top - 0.56 - 0.47 * index
        _draw_box(axes, (6.0, y), 1.1, 0.38, OWN, room.name)
        axes.text(6.65, y, "→ " + ", ".join(room.imports), size=12, va="center")
    return top - 0.56 - 0.47 * len(rooms)


def _draw_key(axes) -> None:
    key = [
        (-0.35, SHARED, "in every bundle"),
        (1.35, FOR_SEGMENTATION, "in the segmentation bundles"),
        (4.05, OWN, "one bundle's own"),
    ]
    for x, colour, text in key:
        _draw_box(axes, (x, -0.52), 0.25, 0.2, colour, "")
        axes.text(x + 0.22, -0.52, text, size=12, va="center")
    axes.text(6.0, -0.52, "A → B: A imports B", size=12, va="center")
