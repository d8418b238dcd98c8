"""Writes CT and MR phantoms in the layouts of BTCV and of the ten tasks of the Decathlon (MSD).

    python tools/phantom btcv data/phantom_btcv --count 8
    python tools/phantom corpus data/phantom_corpus --count 24
    python tools/phantom msd data/phantom_msd --task Task09_Spleen

A case depends only on the layout, the seed and the number in its name: raising --count keeps the
earlier cases, and no layout repeats a patient of another.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import nibabel as nib
import numpy as np
from tqdm import tqdm

from common.atomic_write import check_writable, explained, replacing
from common.cli.kinds import Count, Seed, Whole
from common.errors import InputError

from .cases import case_rng, draw_case
from .tasks import BTCV, TASKS, Task

Variation = Annotated[float, ("type", "number"), ("minimum", 1), ("maximum", 3)]
VoxelSize = Annotated[float, ("type", "number"), ("minimum", 0.5), ("maximum", 10)]  # in mm


def write(path: Path, save: Callable[[Path], None]) -> None:
    """Writes a file through a temporary name beside it, so that the file is whole or absent.

    Raises:
        InputError: it cannot be written.
    """
    with explained(path), replacing(path) as temporary:
        save(temporary)


def case_name(task: Task, number: int) -> str:
    """Returns the file name of a case, such as spleen_12.nii.gz or BRATS_001.nii.gz."""
    return f"{task.prefix}_{number:0{task.digits}d}.nii.gz"


def dataset_json(name: str, training: list[int], test: list[int]) -> dict:
    """Describes a task as its archive does, for the cases of these numbers."""
    task = TASKS[name]
    pairs = [("image", "imagesTr"), ("label", "labelsTr")]
    return {
        "name": name.split("_")[1],
        "description": "Phantoms by tools/phantom: for trying things out, not for results",
        "tensorImageSize": "4D" if len(task.channels) > 1 else "3D",
        "modality": dict(enumerate(task.channels)),
        "labels": dict(enumerate(("background", *task.labels))),
        "numTraining": len(training),
        "numTest": len(test),
        "training": [
            {key: f"./{folder}/{case_name(task, number)}" for key, folder in pairs}
            for number in training
        ],
        "test": [f"./imagesTs/{case_name(task, number)}" for number in test],
    }


def output_folder(out: str) -> Path:
    """Checks that the output folder can be written and is no file, and returns its path."""
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; OUT is a folder to write into.")
    check_writable(folders=[out])
    return folder


def btcv(
    out: str,
    count: Count = 8,
    seed: Seed = 0,
    first: Count = 1,
    spacing_mm: VoxelSize = 3.0,
    variation: Variation = 1.0,
) -> None:
    """Writes labelled abdominal CT in BTCV's layout: OUT/RawData/Training/{img,label}.

    Args:
        out: output folder; files of the same name are replaced.
        count: number of cases.
        seed: seed of the patients.
        first: number of the first case (img0001.nii.gz is 1).
        spacing_mm: in-plane voxel size about which the cases vary.
        variation: how much patients, HU, noise and field of view differ; 2 is twice as much as 1.
    """
    folder = output_folder(out) / "RawData" / "Training"
    for number in tqdm(range(first, first + count), desc="btcv"):
        image, label = draw_case(case_rng(seed, "btcv", number), BTCV, spacing_mm, variation)
        write(folder / "img" / f"img{number:04d}.nii.gz", image.to_filename)
        write(folder / "label" / f"label{number:04d}.nii.gz", label.to_filename)


def corpus(
    out: str,
    count: Count = 24,
    seed: Seed = 0,
    spacing_mm: VoxelSize = 3.0,
    dicom: bool = False,
    variation: Variation = 1.0,
) -> None:
    """Writes unlabelled CT of abdomen and lower chest in nested folders, .nii and .nii.gz mixed.

    Args:
        out: output folder; files of the same name are replaced.
        count: number of volumes.
        seed: seed of the patients.
        spacing_mm: in-plane voxel size about which the volumes vary.
        dicom: write a DICOM series for each instead; needs pydicom.
        variation: as in `btcv`.
    """
    folder = output_folder(out)
    names = ("ct.nii.gz", "study_1/ct.nii", "study_1/series_2/ct.nii.gz")
    for number in tqdm(range(1, count + 1), desc="corpus"):
        rng = case_rng(seed, "corpus", number)
        task = replace(BTCV, centre_mm=(0, 0, rng.uniform(-30, 90)))
        image, _ = draw_case(rng, task, spacing_mm, variation)
        patient = f"patient_{number:04d}"
        if dicom:
            # pydicom is not needed for anything else here
            from .dicom import phantom_tags, write_series

            upright = nib.as_closest_canonical(image)
            hu, spacing = np.asarray(upright.dataobj), upright.header.get_zooms()
            series = folder / patient / "study_1/series_2"
            with explained(series):
                write_series(series, hu, spacing, **phantom_tags(spacing), PatientID=patient)
        else:
            write(folder / patient / names[(number - 1) % len(names)], image.to_filename)


def msd(
    out: str,
    *,
    task: Literal[tuple(TASKS)],
    count: Count = 8,
    test_count: Whole = 2,
    seed: Seed = 0,
    spacing_mm: VoxelSize = 3.0,
    variation: Variation = 1.0,
) -> None:
    """Writes one task in the Medical Segmentation Decathlon's layout, below OUT/<task>.

    Training cases have even numbers and test cases odd ones, so that raising either count
    renames nothing.

    Args:
        out: output folder; files of the same name are replaced.
        task: Task01_BrainTumour to Task10_Colon.
        count: number of training cases.
        test_count: number of test cases, without labels.
        seed: seed of the patients.
        spacing_mm: in-plane voxel size about which the cases vary.
        variation: as in `btcv`.
    """
    folder, spec = output_folder(out) / task, TASKS[task]
    training = {number: "Tr" for number in range(2, 2 * count + 1, 2)}
    test = {number: "Ts" for number in range(1, 2 * test_count, 2)}
    for number, split in tqdm((training | test).items(), desc=task):
        image, label = draw_case(case_rng(seed, task, number), spec, spacing_mm, variation)
        name = case_name(spec, number)
        write(folder / f"images{split}" / name, image.to_filename)
        if split == "Tr":
            write(folder / "labelsTr" / name, label.to_filename)
    content = json.dumps(dataset_json(task, list(training), list(test)), indent=2) + "\n"
    write(folder / "dataset.json", lambda path: path.write_text(content))


COMMANDS = {"btcv": btcv, "corpus": corpus, "msd": msd}
