"""Writes the datalist of a Decathlon task as downloaded.

python -m scripts datalist msd /data/Task09_Spleen
"""

from pathlib import Path

from ..common.cli.kinds import Seed
from ..common.errors import InputError
from ..common.segmentation import splits
from ..common.segmentation.check_files import check_images, check_pairs
from ..common.segmentation.write_datalist import (
    add_folds,
    list_missing_labels,
    refuse,
    write_datalist,
)
from .cases import check_folder, list_pairs, list_tests
from .dataset_json import read_description
from .tasks import LPS_UNDER_RAS, check_description, find_task


def msd(folder: str, output: str = "datalist.json", task: str | None = None, seed: Seed = 0) -> str:
    """Writes the datalist of one task: `imagesTr`, `labelsTr`, `imagesTs` and `dataset.json`.

    Every file is read whole and checked. The datalist gets five folds, an order for fractions of
    the labels, the images without labels as `test`, and whether the images' orientation has to be
    corrected. Without `dataset.json` the folders are taken as they are.

    Args:
        folder: such as `Task09_Spleen`, unpacked. Paths in the datalist are relative to this
            folder: give it to the training as `--dataset_dir`.
        output: the datalist, a JSON file; an earlier one is replaced.
        task: such as Task09_Spleen; by default by the name of the folder or of `dataset.json`.
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
    notes = {"name": config["name"], "msd_orientation": config["name"] in LPS_UNDER_RAS}
    if notes["msd_orientation"]:
        lines.append(
            f"msd_orientation is true: the headers mirror x and y ({LPS_UNDER_RAS[config['name']]})"
        )
    else:
        lines.append("msd_orientation is false: no report says that the headers are wrong")
    lines = [f"{len(pairs)} labelled images, {len(tests)} without labels", *lines]
    lines += more + of_tests + list_missing_labels(result, config["labels"])
    sections = {"training": add_folds(pairs, seed), "test": tests}
    return write_datalist(output, root, sections, lines, notes)


COMMANDS = {"msd": msd}
