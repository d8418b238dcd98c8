"""Lists the labelled and the test images of a Decathlon task: by `dataset.json`, or by folder."""

from collections import Counter
from pathlib import Path

from ..common.data.formats import PACKED_ENDINGS, ending_of, is_hidden, stem_of
from ..common.errors import InputError, list_first
from ..common.segmentation.pairing import images_of, log_left_out, paired
from .dataset_json import NAME, Description

IMAGES, LABELS, TESTS = "imagesTr", "labelsTr", "imagesTs"


def check_folder(root: Path) -> None:
    """Refuses what is no unpacked folder of one task.

    Raises:
        InputError: the path is packed, is no folder, holds whole tasks, or holds no images.
    """
    if ending_of(root.name) in PACKED_ENDINGS and root.is_file():
        raise InputError(f"{root} is packed; unpack it (tar -xf {root.name}), and give the folder.")
    if not root.is_dir():
        problem = "is no folder" if root.exists() else "does not exist"
        raise InputError(f"{root} {problem}; give the folder of one task, such as Task09_Spleen.")
    if (root / IMAGES).is_dir() and (root / LABELS).is_dir():
        return
    tasks = sorted(str(path.parent) for path in root.glob(f"*/{IMAGES}"))
    if tasks:
        raise InputError(f"{root} holds folders of tasks; give one of them: {list_first(tasks)}.")
    raise InputError(
        f"{root} has no folders {IMAGES} and {LABELS}; give the folder of one task, unpacked whole."
    )


def list_pairs(root: Path, described: Description) -> tuple[list[dict], list[str], list[str]]:
    """Lists the labelled images, `{"image": path, "label": path}`.

    Returns:
        The pairs; a sentence for each problem; a line for what is left out.
    """
    if described.training is None:
        pairs, problems = paired(root / IMAGES, root / LABELS)
        if any(stem_of(Path(pair["image"]).name).endswith("_0001") for pair in pairs) or any(
            "_0001." in problem for problem in problems
        ):
            problems = [
                f"{root / IMAGES} has each channel in a file of its own (_0000, _0001), and a 4D "
                "file with all channels is read; join them, or take the Decathlon's own archive."
            ]
        if described.n_training is not None and described.n_training > len(pairs):
            problems.append(
                f"{root / NAME} counts {described.n_training} labelled images, and {len(pairs)} "
                "are there; unpack the archive whole."
            )
        return pairs, problems, []
    items = [item for item in described.training if not is_hidden(Path(item[0]).name)]
    lines = _count_hidden(described.training, items)
    images = [_find(root, IMAGES, image) for image, _ in items]
    labels = [_find(root, LABELS, label) for _, label in items]
    problems = _missing(root, [image for (image, _), path in zip(items, images) if not path])
    problems += _missing(root, [label for (_, label), path in zip(items, labels) if not path])
    twice = [str(path) for path, count in Counter(images).items() if path and count > 1]
    if twice:
        problems.append(f"{root / NAME} lists {list_first(twice)} twice; mend the file.")
    if described.n_training not in (None, len(described.training)):
        lines.append(
            f"{NAME} counts {described.n_training} labelled images, and lists {len(items)}: the "
            "list counts"
        )
    lines += _not_listed(root / IMAGES, images) + _not_listed(root / LABELS, labels)
    pairs = [{"image": str(i), "label": str(k)} for i, k in zip(images, labels) if i and k]
    return pairs, problems, lines


def list_tests(root: Path, described: Description) -> tuple[list[Path], list[str]]:
    """Lists the images without labels, and a line for those that are not there."""
    paths, missing, lines = find_tests(root, described)
    if missing:
        lines.append(
            f"{len(missing)} of {len(missing) + len(paths)} test images of {NAME} are not there "
            f"({list_first(missing)}): a training needs none, a submission needs all"
        )
    elif not paths:
        lines.append(f"{TESTS} has no images; a training needs none")
    return paths, lines


def find_tests(root: Path, described: Description) -> tuple[list[Path], list[str], list[str]]:
    """Finds the images without labels: those that `dataset.json` lists, else the folder's.

    Returns:
        The images; the listed paths that are not there; a line for what is left out.
    """
    if described.test is None:
        paths = list(images_of(root / TESTS).values())
        if paths:
            log_left_out(root / TESTS, {path.name: path for path in paths})
        return paths, [], []
    items = [item for item in described.test if not is_hidden(Path(item).name)]
    found = {item: _find(root, TESTS, item) for item in items}
    paths = [path for path in found.values() if path]
    lines = _count_hidden(described.test, items) + _not_listed(root / TESTS, paths)
    return paths, [item for item, path in found.items() if path is None], lines


def _find(root: Path, folder: str, item: str) -> Path | None:
    """Finds a listed file: by its path, or by its name in the folder, with any image's ending."""
    path = root / item
    if path.is_file() and not Path(item).is_absolute():
        return Path(root, *Path(item).parts)
    return images_of(root / folder).get(stem_of(Path(item).name))


def _missing(root: Path, items: list[str]) -> list[str]:
    if not items:
        return []
    verb = "file is" if len(items) == 1 else "files are"
    return [
        f"{root / NAME} lists {list_first(items)}, and {len(items)} such {verb} not there; unpack "
        "the archive whole."
    ]


def _count_hidden(items: list, kept: list) -> list[str]:
    count = len(items) - len(kept)
    return [f"{count} hidden files of {NAME} are left out"] if count else []


def _not_listed(folder: Path, used: list[Path | None]) -> list[str]:
    """Describes in one line the images of a folder that `dataset.json` does not list."""
    names = {path.name for path in used if path}
    rest = [path.name for path in images_of(folder).values() if path.name not in names]
    if not rest:
        return []
    return [f"left out of {folder}, not in {NAME}: {len(rest)} ({list_first(rest)})"]
