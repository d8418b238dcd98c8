"""Generates the files that bundles share, so that the folder of each bundle runs alone.

Each bundle gets copies of the packages of `common/` that it needs, the configs of the segmentation
workflow made for its default task, and small files that answer old command lines.
"""

from pathlib import Path

from common.atomic_write import write_text
from common.errors import InputError
from tools import ROOT

from .specialise import specialise_text

EVERY_BUNDLE = ("cli", "data", "network", "weights", "runtime", "training")
SEGMENTATION = (*EVERY_BUNDLE, "segmentation", "inference", "evaluation")
# Packages of common/ that each bundle takes, whole; the modules beside them go to all.
PACKAGES = {
    "btcv_segmentation": SEGMENTATION,
    "msd_tasks": SEGMENTATION,
    "pretrain_ssl": EVERY_BUNDLE,
}
# The task, in configs/tasks/, that a segmentation bundle's own configs are made for.
DEFAULT_TASKS = {"btcv_segmentation": "BTCV", "msd_tasks": "Task09_Spleen"}
# Files of scripts/ that were commands once; each names the command line in its place.
MOVED_COMMANDS = {
    "btcv_segmentation": ("weights", "evaluation", "datalist"),
    "msd_tasks": ("weights", "evaluation"),
    "pretrain_ssl": ("corpus",),
}
HEADER = "# generated from {}, do not edit: `make copies`\n"


def generated(root: Path = ROOT) -> dict[Path, str]:
    """Lists every generated file: its text by its path."""
    files = {}
    for bundle in PACKAGES:
        files |= scripts_of(root, bundle)
        if bundle in DEFAULT_TASKS:
            files |= configs_of(root, bundle)
    return files


def scripts_of(root: Path, bundle: str) -> dict[Path, str]:
    """Copies a bundle's packages of `common/`; the first line of each file names its original."""
    scripts = root / "bundles" / bundle / "scripts"
    originals = sorted((root / "common").glob("*.py"))
    for package in PACKAGES[bundle]:
        originals += sorted((root / "common" / package).rglob("*.py"))
        originals += sorted((root / "common" / package).rglob("*.json"))
    pairs = [(original, scripts / original.relative_to(root)) for original in originals]
    moved = root / "tools/repo/moved_command.py"
    pairs += [(moved, scripts / f"{name}.py") for name in MOVED_COMMANDS[bundle]]
    headers = {".py": HEADER, ".json": ""}  # JSON has no comments
    return {
        copy: headers[copy.suffix].format(original.relative_to(root).as_posix())
        + original.read_text()
        for original, copy in pairs
    }


def configs_of(root: Path, bundle: str) -> dict[Path, str]:
    """Makes a segmentation bundle's configs, specialised to its default task, and shared pages."""
    configs = root / "bundles" / bundle / "configs"
    texts = workflow_configs(root, configs / f"tasks/{DEFAULT_TASKS[bundle]}.json")
    pages = (root / "common/docs").glob("*.md")
    docs = {root / "bundles" / bundle / "docs" / page.name: page.read_text() for page in pages}
    return docs | {configs / name: text for name, text in texts.items()}


def workflow_configs(root: Path, task: Path) -> dict[str, str]:
    """Makes the segmentation workflow's configs for a task: their texts by path."""
    folder = root / "common/configs/segmentation"
    return {
        workflow.relative_to(folder).as_posix(): specialise_text(
            workflow.read_text(), task.read_text()
        )
        for workflow in sorted(folder.rglob("*.json"))
    }


def differing(root: Path = ROOT) -> dict[Path, str]:
    """Returns, by path, whether a file differs, is missing, or has no original."""
    wanted = generated(root)
    there = set(root.glob("bundles/*/scripts/common/**/*.py"))
    there |= set(root.glob("bundles/*/scripts/common/**/*.json"))
    there |= {p for b in DEFAULT_TASKS for p in root.glob(f"bundles/{b}/configs/schedules/*.json")}
    begins = HEADER.partition("{")[0]
    there |= {p for p in root.glob("bundles/*/scripts/*.py") if p.read_text().startswith(begins)}
    problems = {path: "has no original" for path in there - wanted.keys()}
    for path, text in wanted.items():
        if not path.is_file():
            problems[path] = "is missing"
        elif path.read_text() != text:
            problems[path] = "differs from its original"
    return dict(sorted(problems.items()))


def check(root: Path = ROOT) -> None:
    """Names the generated files that are not as `write_copies` makes them, and exits with 1.

    Args:
        root: the repository.
    """
    problems = differing(root)
    if problems:
        lines = [f"{path.relative_to(root)} {what}" for path, what in problems.items()]
        raise InputError("\n".join([*lines, "run `make copies`, and edit common/ alone."]))


def write(root: Path = ROOT) -> None:
    """Writes every generated file that differs, and removes those without an original.

    Args:
        root: the repository.
    """
    wanted = generated(root)
    for path in differing(root):
        if path not in wanted:
            path.unlink()
            continue
        write_text(path, wanted[path])
