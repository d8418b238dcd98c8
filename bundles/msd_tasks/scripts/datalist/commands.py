"""Writes the datalist of a Decathlon task as downloaded, and draws how its images lie.

python -m scripts datalist msd /data/Task09_Spleen
python -m scripts datalist show /data/Task03_Liver --output liver.png
"""

from pathlib import Path

from ..common.atomic_write import explained, replacing
from ..common.cli.kinds import Count, Seed
from ..common.data.formats import stem_of
from ..common.errors import InputError
from ..common.segmentation import splits
from ..common.segmentation.check_files import check_images, check_pairs
from ..common.segmentation.pairing import images_of
from ..common.segmentation.write_datalist import (
    add_folds,
    list_missing_labels,
    refuse,
    write_datalist,
)
from .cases import IMAGES, LABELS, check_folder, list_pairs, list_tests
from .dataset_json import read_description
from .orientation import decide_orientation
from .pictures import draw_orientation
from .tasks import check_description, find_task


def msd(
    folder: str,
    output: str = "datalist.json",
    task: str | None = None,
    msd_orientation: bool | None = None,
    seed: Seed = 0,
) -> str:
    """Writes the datalist of one task: `imagesTr`, `labelsTr`, `imagesTs` and `dataset.json`.

    Every file is read whole and checked. The datalist gets five folds, an order for fractions of
    the labels, the images without labels as `test`, and whether the images' orientation has to be
    corrected. Without `dataset.json` the folders are taken as they are.

    Args:
        folder: such as `Task09_Spleen`, unpacked. Paths in the datalist are relative to this
            folder: give it to the training as `--dataset_dir`.
        output: the datalist, a JSON file; an earlier one is replaced.
        task: such as Task09_Spleen; by default by the name of the folder or of `dataset.json`.
        msd_orientation: the headers reverse x and y; by default where a public report says so.
        seed: of the folds and of the order.

    Raises:
        InputError: files have problems, all of which are named; nothing is written.
    """
    root = Path(folder)
    check_folder(root)
    described = read_description(root)
    config = find_task(root, described, task)
    lines = described.lines + check_description(root, described, config)
    pairs, problems, more = list_pairs(root, described)
    tests, of_tests = list_tests(root, described)
    refuse(problems)
    channels = config["channels"], config.get("channel_names", ())
    result = check_pairs(pairs, config["labels"], *channels)
    refuse(result.problems + check_images(tests, *channels))
    if len(pairs) < splits.FOLDS:
        raise InputError(f"{root} has {len(pairs)} labelled images, and five folds take five.")
    images = [pair["image"] for pair in pairs] + [str(path) for path in tests]
    is_turned, line = decide_orientation(
        config["name"], images, config["channels"], msd_orientation
    )
    notes = {"name": config["name"], "msd_orientation": is_turned}
    lines = [f"{len(pairs)} labelled images, {len(tests)} without labels", *lines, line]
    lines += more + of_tests + list_missing_labels(result, config["labels"])
    sections = {"training": add_folds(pairs, seed), "test": tests}
    return write_datalist(output, root, sections, lines, notes)


def show(
    folder: str, output: str = "orientation.png", task: str | None = None, count: Count = 3
) -> str:
    """Draws slices of a task with R and L: by the header, and by `--msd_orientation True`.

    In the columns that are right the front of the patient is at A and the couch at P; the liver is
    at R, the spleen and the heart's apex at L.

    Args:
        folder: such as `Task03_Liver`, unpacked.
        output: the picture, a PNG file; an earlier one is replaced.
        task: such as Task03_Liver; by default by the name of the folder or of `dataset.json`.
        count: number of images, from the first to the last of `imagesTr`.

    Raises:
        InputError: a file cannot be used, or matplotlib is not installed.
    """
    root = Path(folder)
    check_folder(root)
    config = find_task(root, read_description(root), task)
    paths, labels = list(images_of(root / IMAGES).values()), images_of(root / LABELS)
    if not paths:
        raise InputError(f"{root / IMAGES} holds no images; unpack the archive whole.")
    count = min(count, len(paths))
    chosen = [paths[place * (len(paths) - 1) // max(count - 1, 1)] for place in range(count)]
    of_images = [labels.get(stem_of(path.name)) for path in chosen]
    picture = draw_orientation(chosen, of_images, config["modality"], config["channels"])
    with explained(output), replacing(output) as temporary:
        temporary.write_bytes(picture)
    return (
        f"{output}: where the front of the patient is at A, and the liver at R, in the columns on "
        "the right alone, give `datalist msd --msd_orientation true`"
    )


COMMANDS = {"msd": msd, "show": show}
