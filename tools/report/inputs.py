"""Reads the report's inputs: curves, evaluations and label names, and pairs files by case."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from common.data.formats import ITK_ENDINGS, ending_of, is_image_name, stem_of
from common.data.walk import list_folders
from common.errors import InputError


@dataclass(frozen=True)
class Case:
    """Holds an image and the files that were computed from it, in the order of their suffixes."""

    name: str
    image: Path
    outputs: list[Path]


def existing(path: str | Path, option: str, kind: str = "file or folder") -> Path:
    """Returns the path, or stops if there is no such "file", "folder" or "file or folder"."""
    path = Path(path)
    if not (path.is_file() and "file" in kind or path.is_dir() and "folder" in kind):
        raise InputError(f"{path} is not an existing {kind}; give {option} the path of one.")
    return path


def read_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Reads a CSV file by column names, which must all be there."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names, rows = reader.fieldnames or [], list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} cannot be read as a table ({error}); give a CSV file in UTF-8."
        ) from None
    missing = [name for name in columns if name not in names]
    if missing:
        raise InputError(
            f"{path} has no column {', '.join(missing)}; its first line must name at least "
            f"the columns {','.join(columns)}."
        )
    return rows


def read_metrics(run: Path) -> dict[str, dict[str, dict[int, float]]]:
    """Reads a run's metrics.csv: quantity to split to {iteration: value}.

    A resumed run repeats some iterations; the last value written is the one that counts. The last
    line may be half written while a training goes on, and is then left out.
    """
    path = run / "metrics.csv"
    if not path.is_file():
        raise InputError(
            f"{run} has no metrics.csv; give --runs the folder a training wrote it to."
        )
    curves: dict[str, dict[str, dict[int, float]]] = {}
    rows = read_rows(path, ("iteration", "name", "value"))
    for number, row in enumerate(rows, start=1):
        try:
            iteration, value = int(float(row["iteration"])), float(row["value"])
        except (TypeError, ValueError):
            if number == len(rows):
                continue
            raise InputError(
                f"{path}, line {number + 1}, is not iteration,name,value; correct or delete it."
            ) from None
        split, slash, quantity = row["name"].partition("/")
        if not slash:
            split, quantity = "", row["name"]
        curves.setdefault(quantity, {}).setdefault(split, {})[iteration] = value
    if not curves:
        raise InputError(f"{path} holds no values yet; wait until the training has written some.")
    return curves


def read_evaluation(path: Path) -> pd.DataFrame:
    """Reads the table of an evaluation: a row for each case and organ, sorted by label.

    Columns are case, label, name, dice, and NSD and HD95 where the file has them. Empty cells and
    nan mean "not defined" (the organ is absent).
    """
    table = pd.DataFrame(read_rows(path, ("case", "label", "name", "dice"))).fillna("")
    if table.empty or not table["label"].any():
        raise InputError(f"{path} holds no organ; run the evaluation again on at least one case.")
    table = table[table["label"] != ""]
    metrics = [name for name in table if name and name.startswith(("dice", "nsd", "hd95"))]
    try:
        numbers = table[metrics].replace("", "nan").astype(float)
        labels = table["label"].astype(int)
    except ValueError as error:
        raise InputError(f"{path}: {error}; the cell must be a number or empty.") from None
    names = table["name"].where(table["name"] != "", "label " + table["label"])
    table = pd.DataFrame({"case": table["case"], "label": labels, "name": names}).join(numbers)
    return table.sort_values("label", kind="stable")


def read_label_names(path: Path) -> dict[int, str]:
    """Reads label names from a bundle's metadata.json (the channels of its output "pred")."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        channels = content["network_data_format"]["outputs"]["pred"]["channel_def"]
        return {int(label): str(name) for label, name in channels.items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(
            f"{path} has no network_data_format.outputs.pred.channel_def; give --labels_from the "
            "configs/metadata.json of a segmentation bundle."
        ) from None


def stem(path: Path) -> str:
    """Returns the file name without the ending of an image."""
    return stem_of(path.name)


def find_cases(
    images: str, outputs: str, options: tuple[str, str], suffixes: tuple[str, ...]
) -> list[Case]:
    """Pairs the images with the files computed from them, whose folder mirrors the sub-folders."""
    root = existing(images, options[0])
    folder = existing(outputs, options[1], kind="folder")
    folders = [] if root.is_file() else list_folders(root)
    paths = sorted(root / folder.path / name for folder in folders for name in folder.files)
    cases = []
    for image in (p for p in paths or [root] if is_image_name(p.name)):
        parent = Path() if root.is_file() else image.relative_to(root).parent
        files = [folder / parent / f"{stem(image)}{suffix}.nii.gz" for suffix in suffixes]
        if all(file.is_file() for file in files):
            cases.append(Case((parent / stem(image)).as_posix(), image, files))
    if not cases:
        expected = " and ".join(f"STEM{suffix}.nii.gz" for suffix in suffixes)
        raise InputError(
            f"{folder} holds no {expected} for any image STEM.nii.gz of {root}; give {options[1]} "
            "the folder that the inference on these images wrote to."
        )
    return cases


def find_reference(case: Case, references: Path) -> Path | None:
    """Finds an image's reference: label0001 for img0001 (BTCV), or the same name."""
    names = [case.image.name]
    if ending_of(case.image.name) in ITK_ENDINGS:
        names += [f"{stem(case.image)}.nii.gz", f"{stem(case.image)}.nii"]
    if case.image.name.startswith("img"):
        names.insert(0, "label" + case.image.name.removeprefix("img"))
    parents = (references / Path(case.name).parent, references)
    for candidate in (parent / name for name in names for parent in parents):
        # A folder may hold images and references: an image is not its own reference.
        if candidate.is_file() and candidate.resolve() != case.image.resolve():
            return candidate
    return None
