"""Data lists for training, from BTCV's archive or from folders of your own.

python -m scripts datalist btcv /data/BTCV/RawData
python -m scripts datalist folder /data/ct/images /data/ct/labels --overlay my_labels.json
"""

import json
import os
import sys
from pathlib import Path

from ..common import BUNDLE
from ..common.atomic_write import write_text
from ..common.errors import InputError
from ..common.segmentation import splits
from ..common.segmentation.pairing import find_folders, niftis, paired
from .check_files import Found, examined, image_problems
from .overlays import overlay_of

LAYOUTS = [(f"{root}Training/img", f"{root}Training/label") for root in ("", "RawData/")]
CONFIG = BUNDLE / "configs/train.json"


def btcv(raw_data: str, output: str = "datalist.json", seed: int = 0) -> str:
    """Pair, check and divide BTCV: `Training/img`, `Training/label` and `Testing/img`.

    Every file is read whole. The list gets five folds, the split into 24 and 6, an order for
    fractions of the labels, and the images without labels as `test`.

    Args:
        raw_data: the folder `RawData`, or the one that holds it. Paths in the list are relative to
            it: give it to the training as `--dataset_dir`.
        output: the list, a JSON file; an earlier one is replaced.
        seed: of the folds and of the order.

    Raises:
        InputError: files have problems, all of which are named; nothing is written.
    """
    root = Path(raw_data)
    image_folder, label_folder = find_folders(root, LAYOUTS)
    tests = list(niftis(image_folder.parents[1] / "Testing/img").values())
    names = json.loads(CONFIG.read_text())["labels"]
    pairs, problems = paired(image_folder, label_folder)
    found = examined(pairs, names)
    _stop_at(problems + found.problems + image_problems(tests))
    items = _divided(pairs, seed)
    numbers = {splits.btcv_number(item["image"]) for item in items}
    lines = [f"{len(items)} labelled images, {len(tests)} without labels"]
    if numbers >= set(splits.BTCV_VALIDATION):
        parts = splits.parts_24_6(pairs)
        items = [item | {"split_24_6": part} for item, part in zip(items, parts)]
        trained = parts.count("training")
        lines.append(f"--split btcv_24_6: {trained} train, img0035 to img0040 validate")
    else:
        lines.append("no --split btcv_24_6: of img0035 to img0040, which validate in it, some lack")
    lines += _lacking(found, names)
    return _written(output, root, {"training": items, "test": tests}, lines)


def folder(
    images: str,
    labels: str,
    output: str = "datalist.json",
    overlay: str | None = None,
    seed: int = 0,
) -> str:
    """Pair, check and divide CTs of your own, with any labels; write the overlay they need.

    A label file has its image's name, or it without nnU-Net's `_0000`. Every file is read whole.

    Args:
        images, labels: folders of NIfTI files.
        output: the list, a JSON file; an earlier one is replaced. Paths in it are relative to the
            folder that holds both folders: give it to the training as `--dataset_dir`.
        overlay: where a config goes that names the labels, the spacing and the intensity range: a
            JSON file, to be looked over; None prints it.
        seed: of the folds and of the order for fractions of the labels.

    Raises:
        InputError: files have problems, all of which are named; nothing is written.
    """
    for path in (images, labels):
        if not Path(path).is_dir():
            raise InputError(f"{path} is not a folder; give the folders of images and of labels.")
    pairs, problems = paired(Path(images), Path(labels))
    found = examined(pairs, labels=None)
    _stop_at(problems + found.problems)
    if len(pairs) < 2:
        raise InputError(f"{images} holds {len(pairs)} labelled images; training takes two.")
    config = json.dumps(overlay_of(found), indent=4) + "\n"
    root = Path(os.path.commonpath([Path(images).resolve(), Path(labels).resolve()]))
    if len(pairs) >= splits.FOLDS:
        sections, lines = {"training": _divided(pairs, seed)}, []
    else:
        sections = {"training": pairs[:-1], "validation": pairs[-1:]}
        lines = [f"too few for five folds: {Path(pairs[-1]['image']).name} validates, others train"]
    lines = [f"{len(pairs)} labelled images", *lines]
    if overlay:
        write_text(overlay, config)
        lines.append(f"{overlay}: name the labels in it, and look over the rest")
    else:
        lines.append(f"an overlay for them, whose labels you name:\n{config}")
    return _written(output, root, sections, lines)


def _stop_at(problems: list[str]) -> None:
    if problems:
        print("\n".join(problems), file=sys.stderr)
        what = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise InputError(f"{what}, named above; nothing is written before all are mended.")


def _divided(pairs: list[dict], seed: int) -> list[dict]:
    """The pairs with a fold each, and a rank in the order of which fractions take the first."""
    folds, ranks = splits.folds(pairs, seed), splits.ranks(pairs, seed)
    return [pair | {"fold": f, "rank": r} for pair, f, r in zip(pairs, folds, ranks)]


def _lacking(found: Found, names: dict[str, str]) -> list[str]:
    """Which labels some images do not show."""
    lines = []
    for number, name in list(names.items())[1:]:
        shown_in = found.numbers.items()
        without = [Path(image).stem for image, shown in shown_in if int(number) not in shown]
        if without:
            lines.append(f"{name} is not in {', '.join(w.split('.')[0] for w in without)}")
    return lines


def _written(output: str, root: Path, sections: dict[str, list], lines: list[str]) -> str:
    """Write the list; what is to be printed."""
    relative = {name: [_relative(item, root) for item in items] for name, items in sections.items()}
    write_text(output, json.dumps(relative, indent=1) + "\n")
    return "\n".join([*lines, f"{output} is for --dataset_dir {root} --datalist {output}"])


def _relative(item: dict | Path, root: Path) -> dict | str:
    if isinstance(item, Path):
        return os.path.relpath(item, root)
    return item | {key: os.path.relpath(item[key], root) for key in ("image", "label")}


COMMANDS = {"btcv": btcv, "folder": folder}
