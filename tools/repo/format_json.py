"""Formats JSON files in one layout: a node stands on one line where it fits in 100 columns.

Arguments of a node that does not fit are filled into lines, and so are the `imports` of a config;
keys of the file itself have a line each.

    python tools/repo check_json bundles      names the files that differ, exits 1
    python tools/repo format_json bundles     rewrites them

Blank lines before top-level keys (indented by four) and the spelling of numbers (`1e-5`) are kept.
"""

import json
import re
from pathlib import Path

from common.atomic_write import write_text
from common.errors import InputError

LEFT_BY_RUNS = {"models", "runs", "predictions", "evaluation", "pretrained", "cache"}  # .gitignore
WIDTH = 100
INDENT = "    "


class Number(float):
    """Remembers how a float was written."""

    def __new__(cls, text: str):
        number = super().__new__(cls, text)
        number.text = text
        return number


def one_line(node) -> str:
    """Formats a node as JSON without line breaks."""
    if isinstance(node, Number):
        return node.text
    if isinstance(node, dict) and node:
        return "{" + ", ".join(f"{json.dumps(k)}: {one_line(v)}" for k, v in node.items()) + "}"
    if isinstance(node, list):
        return "[" + ", ".join(one_line(value) for value in node) + "]"
    return json.dumps(node, ensure_ascii=False)


def is_import(node) -> bool:
    """Tells whether a node is an import of a config, such as `"$import torch"`."""
    return isinstance(node, str) and node.startswith("$import ")


def layout(node, indent: str = "", used: int = 0, blank_before: frozenset = frozenset()) -> str:
    """Formats a node as JSON, with line breaks where they are needed.

    Args:
        node: parsed JSON.
        indent: of the line on which the node starts.
        used: columns taken on that line before the node, plus one for a comma after it.
        blank_before: keys of this node that get a blank line before them.
    """
    line = one_line(node)
    if used + len(line) <= WIDTH and indent or not node or not isinstance(node, (dict, list)):
        return line
    deeper, parts = indent + INDENT, []
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        name = f"{json.dumps(key)}: " if isinstance(node, dict) else ""
        blank = "\n" if key in blank_before else ""
        parts.append(blank + deeper + name + layout(value, deeper, len(deeper + name) + 1))
    opening, closing = "{}" if isinstance(node, dict) else "[]"
    if indent and (isinstance(node, dict) or all(map(is_import, node))):
        parts = filled([part.strip() for part in parts], deeper)
    return opening + "\n" + ",\n".join(parts) + "\n" + indent + closing


def filled(parts: list[str], indent: str) -> list[str]:
    """Formats lines of several short parts, as many as fit; a part of several lines has its own."""
    lines: list[str] = []
    for part in parts:
        together = "".join(lines[-1:]) + part
        # ", " stands between and "," behind
        if lines and "\n" not in together and len(together) + 3 <= WIDTH:
            lines[-1] += f", {part}"
        else:
            lines.append(indent + part)
    return lines


def formatted(text: str) -> str:
    """Formats the text of a JSON file in this layout."""
    blank_before = frozenset(re.findall(r'\n[ \t]*\n {4}"([^"]+)":', text))
    return layout(json.loads(text, parse_float=Number), blank_before=blank_before) + "\n"


def differing(folder: str) -> dict[Path, str]:
    """Returns the JSON files below a folder whose layout differs, each with its right text.

    Of a bundle the folders that its runs write are left out.

    Raises:
        InputError: there is no JSON file, or one that cannot be read.
    """
    paths = [path for path in sorted(Path(folder).rglob("*.json")) if not is_left_by_run(path)]
    if not paths:
        raise InputError(f"no JSON file below {folder}; give the folder of the bundles.")
    texts = {path: read_both(path) for path in paths}
    return {path: new for path, (old, new) in texts.items() if old != new}


def read_both(path: Path) -> tuple[str, str]:
    """Reads a JSON file; returns its text, and the same formatted.

    Raises:
        InputError: it cannot be read, or is no JSON.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return text, formatted(text)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no JSON file ({error}); mend it.") from None


def is_left_by_run(path: Path) -> bool:
    """Tells whether a file lies in a folder of a bundle that its runs write, such as `runs`."""
    return any(
        parent.name in LEFT_BY_RUNS and Path(parent.parent, "configs/metadata.json").is_file()
        for parent in path.parents
    )


def check(folder: str) -> None:
    """Names the JSON files below a folder whose layout differs, and exits with 1.

    Args:
        folder: such as `bundles`.
    """
    found = differing(folder)
    if found:
        names = ", ".join(map(str, found))
        raise InputError(f"not formatted: {names}; run `python tools/repo format_json {folder}`.")


def write(folder: str) -> None:
    """Rewrites the JSON files below a folder whose layout differs.

    Args:
        folder: such as `bundles`.
    """
    for path, text in differing(folder).items():
        write_text(path, text)
        print(f"formatted {path}")
