"""Writes each bundle's copy of `common/`, so that its folder runs alone.

python tools/repo/copies.py write     makes `bundles/<name>/scripts/common/` anew, and the files
                                      that answer an old command line with the new one
python tools/repo/copies.py check     makes them in memory, names what differs, exits 1
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from common.atomic_write import replacing  # noqa: E402

EVERY_BUNDLE = ("cli", "data", "network", "weights", "runtime", "training")
SEGMENTATION = (*EVERY_BUNDLE, "segmentation", "inference", "evaluation")
# Packages of common/ that each bundle takes, whole; the modules beside them go to all.
PACKAGES = {
    "btcv_segmentation": SEGMENTATION,
    "msd_tasks": SEGMENTATION,
    "pretrain_ssl": EVERY_BUNDLE,
}
# Files of scripts/ that were commands once; each names the command line in its place.
MOVED_COMMANDS = {
    "btcv_segmentation": ("weights", "evaluation", "datalist"),
    "msd_tasks": ("weights", "evaluation"),
    "pretrain_ssl": ("corpus",),
}
HEADER = "# generated from {}, do not edit: `make copies`\n"


def copies(root: Path = ROOT) -> dict[Path, bytes]:
    """What is generated in every bundle's `scripts/`: content by path.

    The first line of a copy names its original.
    """
    contents, moved = {}, root / "tools/repo/moved_command.py"
    for bundle, packages in PACKAGES.items():
        originals = sorted((root / "common").glob("*.py"))
        for package in packages:
            originals += sorted((root / "common" / package).rglob("*.py"))
        scripts = root / "bundles" / bundle / "scripts"
        pairs = [(original, scripts / original.relative_to(root)) for original in originals]
        pairs += [(moved, scripts / f"{name}.py") for name in MOVED_COMMANDS[bundle]]
        for original, copy in pairs:
            header = HEADER.format(original.relative_to(root).as_posix())
            contents[copy] = header.encode() + original.read_bytes()
    return contents


def differing(root: Path = ROOT) -> dict[Path, str]:
    """What is wrong, by path: a copy that differs from its original, is missing or is too many."""
    wanted = copies(root)
    found = set(root.glob("bundles/*/scripts/common/**/*.py"))
    begins = HEADER.partition("{")[0].encode()
    found |= {p for p in root.glob("bundles/*/scripts/*.py") if p.read_bytes().startswith(begins)}
    problems = {path: "has no original" for path in found - wanted.keys()}
    for path, content in wanted.items():
        if path not in found:
            problems[path] = "is missing"
        elif path.read_bytes() != content:
            problems[path] = "differs from its original"
    return dict(sorted(problems.items()))


def check(root: Path = ROOT) -> None:
    """Names the copies that are not as `write` makes them.

    Raises:
        SystemExit: there are such copies.
    """
    problems = differing(root)
    if problems:
        lines = [f"{path.relative_to(root)} {what}" for path, what in problems.items()]
        raise SystemExit("\n".join([*lines, "run `make copies`; edit common/ alone."]))


def write(root: Path = ROOT) -> None:
    """Makes every copy anew and removes what has no original."""
    wanted = copies(root)
    for path in differing(root):
        if path not in wanted:
            path.unlink()
            continue
        with replacing(path) as temporary:
            temporary.write_bytes(wanted[path])


if __name__ == "__main__":
    actions = {"write": write, "check": check}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        raise SystemExit("error: give one of: write, check")
    actions[sys.argv[1]]()
