"""Builds a release: a zip of each bundle and of each task, and the files beside them."""

import os
import tempfile
from pathlib import Path

from common.atomic_write import explained
from common.errors import InputError
from tools import ROOT
from tools.repo.task_bundle import task_bundle

from .archive import write_zip
from .demo_bundle import WEIGHTS, changed_since_demo, write_demo_bundle
from .files import SUMS, add_weights, changed_files, collect, untracked_files
from .pages import (
    checksums,
    model_card,
    model_info,
    read_checksums,
    release_notes,
    requirements,
    zip_name,
)

CARDS = "model_cards"


def build(
    out: str,
    with_weights: bool = False,
    with_demo_weights: bool = False,
    address: str | None = None,
    dirty: bool = False,
    root: Path = ROOT,
) -> str:
    """Builds the release of a commit, whole or not at all: the same files give the same bytes.

    A zip `<name>_v<version>.zip` holds what git tracks of a bundle. Beside the zips are
    `SHA256SUMS`, `requirements.txt`, `RELEASE_NOTES.md`, `model_cards/` for Hugging Face, and
    `model_info.json`.

    Args:
        out: folder of the release; an older release in it is replaced.
        with_weights: adds `model.pt`, `encoder.pt` and `network.pt` of a bundle's `models/` where
            they are.
        with_demo_weights: adds the small bundle btcv_demo_segmentation with the weights that
            `make demo` has left in `demo/`, which were trained on phantoms.
        address: where the zips will be downloaded from, such as
            https://github.com/OWNER/REPOSITORY/releases/download/0.1.0; `model_info.json`, which
            MONAI reads them from, is written where it is given.
        dirty: packs tracked files as they are on disk where they differ from the last commit, and
            weights of a demo that ran with other files; without it both are refused.
        root: the repository.

    Returns:
        What was written.

    Raises:
        InputError: `out` holds something else; this is no git checkout; files differ from the
            commit; the weights are missing, of an older demo, or do not fit.
    """
    target = Path(out)
    check_replaceable(target)
    refuse_changes(changed_files(root), "the last commit", "commit or stash them", dirty)
    untracked = untracked_files(root)
    if untracked:
        print(f"left out, since git does not track them: {', '.join(untracked)}")
    with explained(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        # beside the target, so that it is renamed within one file system
        made_in = tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}_")
    with made_in as temporary:
        sources, made, old = (Path(temporary, name) for name in ("sources", "made", "old"))
        bundles = write_bundles(root, sources, with_demo_weights, dirty)
        if with_weights:
            for folder in sorted((sources / "bundles").iterdir()):
                names = add_weights(root / "bundles" / folder.name, folder)
                print(f"{folder.name}: {', '.join(names) or 'no weights in models/'}")
        with explained(target):
            write_release(bundles, made, address and address.rstrip("/"))
            if target.exists():
                target.rename(old)
            try:
                made.rename(target)
            except OSError:
                if old.exists():  # the temporary folder, and the older release in it, will go
                    old.rename(target)
                raise
    if address is None:
        print("model_info.json is left out, since it holds URLs; --address gives them.")
    size_mb = sum(path.stat().st_size for path in target.glob("*.zip")) / 1e6
    return f"{target}: {len(bundles)} zips, {size_mb:.1f} MB"


def refuse_changes(changed: list[str], words: str, remedy: str, dirty: bool) -> None:
    """Raises an `InputError` where files have changed; with `dirty` prints its sentence instead."""
    if not changed:
        return
    words = f"{len(changed)} files differ from {words}, such as {changed[0]}"
    if not dirty:
        raise InputError(f"{words}; {remedy}, or pack them nevertheless by --dirty.")
    print(words)


def write_bundles(root: Path, folder: Path, with_demo_weights: bool, dirty: bool) -> list[Path]:
    """Writes the folder of each bundle that is released, and returns them by name."""
    collect(root, folder)
    tasks = sorted((folder / "bundles/msd_tasks/configs/tasks").glob("*.json"))
    bundles = sorted((folder / "bundles").iterdir())
    bundles += [Path(task_bundle(task.stem, str(folder / "tasks"), folder)) for task in tasks]
    if with_demo_weights:
        changed = changed_since_demo(root, folder)
        refuse_changes(changed, "those that demo/ was trained with", "run `make demo`", dirty)
        bundles.append(write_demo_bundle(folder, root / WEIGHTS))
    return bundles


def write_release(bundles: list[Path], folder: Path, address: str | None) -> None:
    """Writes the zips and all files beside them into a new folder."""
    (folder / CARDS).mkdir(parents=True)
    zips = [folder / f"{zip_name(bundle)}.zip" for bundle in bundles]
    for bundle, path in zip(bundles, zips):
        write_zip(bundle, path)
        (folder / CARDS / f"{bundle.name}.md").write_text(model_card(bundle))
    (folder / "RELEASE_NOTES.md").write_text(release_notes(bundles, address))
    (folder / "requirements.txt").write_text(requirements(bundles))
    if address:
        (folder / "model_info.json").write_text(model_info(zips, address))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    (folder / SUMS).write_text(checksums(files, folder))


def check_replaceable(target: Path) -> None:
    """Raises an `InputError` unless a folder is missing, empty, or an older release and no more."""
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not target.is_dir():
        raise InputError(f"{target} is there and no folder; give another one.")
    files = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    sums = target / SUMS
    known = read_checksums(sums).keys() if sums.is_file() else set()
    more = files - known - {SUMS}
    if more:
        raise InputError(
            f"{target / min(more)} is not of a release and would be lost; move it, or give another "
            "folder."
        )
