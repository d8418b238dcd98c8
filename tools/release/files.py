"""Lists and collects the files that belong to a bundle: those that git tracks, and no others."""

import re
import shutil
import subprocess
from pathlib import Path

from common.errors import InputError

# What a folder of a bundle may hold, relative to it. Weights are added where they are asked for.
BELONGS = re.compile(
    r"LICENSE|large_files\.yml"
    r"|configs/([\w-]+/)*[\w-]+\.(json|conf)"
    r"|docs/([\w-]+/)*[\w-]+\.(md|txt|png)"
    r"|scripts/([\w-]+/)*[\w-]+\.(py|json)"
    r"|models/[\w-]+\.(pt|ts|onnx)"
    r"|example/(img|label)/[\w-]+\.nii\.gz"
)
REQUIRED = (
    *("LICENSE", "docs/README.md", "docs/data_license.txt", "scripts/__init__.py"),
    *(f"configs/{name}" for name in ("metadata.json", "train.json", "inference.json")),
    *(f"configs/{name}" for name in ("evaluate.json", "logging.conf")),
)
SOURCES = ("bundles", "common/configs")  # of all that a release holds
WEIGHTS = ("models/model.pt", "models/encoder.pt", "models/network.pt")  # the first is trained
SUMS = "SHA256SUMS"


def collect(root: Path, folder: Path) -> None:
    """Copies the tracked files of `SOURCES`, as they are on disk, into a new folder.

    Args:
        root: the repository, a git checkout.
        folder: to be made; it has the layout of the repository.

    Raises:
        InputError: this is no git checkout, or a tracked file is missing or a link.
    """
    for name in tracked_files(root):
        path, copy = root / name, folder / name
        if path.is_symlink() or not path.is_file():
            raise InputError(f"{path} is missing or a link; restore it by `git checkout {name}`.")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def tracked_files(root: Path) -> list[str]:
    """Lists the files of `SOURCES` that git tracks, relative to the repository."""
    return _git(root, "ls-files", "-z", "--", *SOURCES).split("\0")[:-1]


def changed_files(root: Path) -> list[str]:
    """Lists tracked files that differ from the last commit: of the zips and of what makes them."""
    folders = [folder for folder in ("bundles", "common", "tools") if (root / folder).is_dir()]
    options = ("--porcelain", "-z", "--no-renames", "--untracked-files=no")
    lines = _git(root, "status", *options, "--", *folders)
    return [line[3:] for line in lines.split("\0") if line]


def untracked_files(root: Path) -> list[str]:
    """Lists files in `SOURCES` that git neither tracks nor ignores; no zip holds them."""
    options = ("--others", "--exclude-standard", "-z")
    return _git(root, "ls-files", *options, "--", *SOURCES).split("\0")[:-1]


def _git(root: Path, *arguments: str) -> str:
    try:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(
            f"{root} is no git checkout, or git is not installed; a release holds the files that "
            "git tracks, so clone the repository."
        ) from error


def add_weights(bundle: Path, folder: Path) -> list[str]:
    """Copies the weights that trainings have left in a bundle's `models/`.

    Args:
        bundle: where they are.
        folder: where they are wanted.

    Returns:
        Their names, relative to the bundle.
    """
    names = [name for name in WEIGHTS if (bundle / name).is_file()]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(bundle / name, folder / name)
    return names
