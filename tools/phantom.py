"""CT and MR phantoms with BTCV's 13 organs and the ten MSD tasks, in those archives' layouts.

    python tools/phantom.py btcv data/phantom_btcv --count 8
    python tools/phantom.py corpus data/phantom_corpus --count 24
    python tools/phantom.py msd data/phantom_msd --task Task09_Spleen

The organs' mean HU are drawn per phantom and overlap, so that intensity alone does not segment
them; position and shape do. Grids, orientations and data types vary as they do in real archives,
with affines that stay true. A case depends only on the layout, the seed and the number in its
name: raising --count keeps the earlier cases, and no layout repeats a patient of another.
"""

import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fire
import nibabel as nib
import numpy as np
from files import replacing
from nibabel.orientations import axcodes2ornt, ornt_transform
from numpy.random import Generator
from phantom_anatomy import (
    HEAD,
    Blob,
    Points,
    T,
    draw_parts,
    draw_pose,
    draw_torso,
    head_background,
    paint,
    paint_bowel,
    paint_spine,
    torso_background,
)
from phantom_intensity import draw_ct, draw_mr, look_up
from phantom_tasks import BTCV, TASKS, Lesion, Task
from tqdm import tqdm

ORIENTATIONS = ("RAS", "LPS", "LAS", "LPS", "RAS", "SPL", "PSR")
IMAGE_TYPES = (np.int16, np.int16, np.int32, np.float32)
LABEL_TYPES = (np.uint8, np.uint8, np.int16)


def paint_table(tissue: np.ndarray, axes_mm: list[np.ndarray], gap_mm: float) -> None:
    """The scanner's table, slightly curved, gap_mm behind the body; outside the field: none."""
    back_mm = axes_mm[1][(tissue != T.AIR).any((0, 2)).argmax()] - gap_mm
    depth = back_mm + axes_mm[0][:, None] ** 2 / 1500 - axes_mm[1]
    slab = (depth > 0) & (depth < 14) & (np.abs(axes_mm[0][:, None]) < 210)
    tissue[slab[..., None] & (tissue == T.AIR)] = T.TABLE


def draw_lesions(rng: Generator, lesion: Lesion, tissue: np.ndarray, points: Points) -> list[Blob]:
    """Ellipsoids around random voxels of the host organ; none where the field has no host."""
    host = np.flatnonzero(tissue == lesion.host)
    blobs = []
    for _ in range(rng.integers(1, lesion.most + 1) if host.size else 0):
        voxel = rng.choice(host)
        centre = np.array([p.flat[voxel] for p in points], float)
        radii = rng.uniform(*lesion.radius_mm) * rng.uniform(0.8, 1.2, 3)
        tilt_deg = tuple(rng.uniform(-90, 90, 3))
        onto = lesion.onto
        for layer, share in lesion.layers:
            blobs.append(Blob("lesion", layer, onto, centre, radii * share, tilt_deg))
            onto = (layer,)
    return blobs


def draw_tissue(rng: Generator, task: Task, axes_mm: list[np.ndarray]) -> np.ndarray:
    """A patient drawn and painted on the grid that three axes (mm) span: (X, Y, Z) uint8."""
    pose = draw_pose(rng, 75 if task.head else 160)
    parts = draw_parts(rng, HEAD, 0.8) if task.head else draw_torso(rng)
    skin_mm, phase, table_gap_mm = rng.uniform(5, 26), rng.uniform(0, 6.3, 3), rng.uniform(-9, 6)
    points = pose.points(axes_mm)
    if task.head:
        tissue = head_background(points, skin_mm / 4)
    else:
        tissue = torso_background(points, skin_mm)
        paint_spine(tissue, points)
    for part in parts:
        paint(tissue, points, pose, axes_mm, part)
    if not task.head:
        paint_bowel(tissue, points, phase)
    for part in draw_lesions(rng, task.lesion, tissue, points) if task.lesion else []:
        paint(tissue, points, pose, axes_mm, part)
    if task.channels == ("CT",) and table_gap_mm > 0:
        paint_table(tissue, axes_mm, table_gap_mm)
    return tissue


def draw_phantom(
    rng: Generator, task: Task, axes_mm: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Image (X, Y, Z) int16 in HU or (X, Y, Z, C) float32, and labels (X, Y, Z) uint8."""
    spacing_mm = np.array([axis[1] - axis[0] for axis in axes_mm])
    tissue = draw_tissue(rng, task, axes_mm)
    if task.channels == ("CT",):
        image = draw_ct(rng, tissue, spacing_mm)
    else:
        image = draw_mr(rng, tissue, spacing_mm, task)
    return image, look_up(tissue, task.label_of_tissue, np.uint8)


def grid(shape: tuple, spacing_mm: tuple, centre_mm: tuple = (0, 0, 0)) -> list[np.ndarray]:
    """Voxel centres along each axis in mm, float64."""
    steps = zip(shape, spacing_mm, centre_mm, strict=True)
    return [(np.arange(n) - (n - 1) / 2) * spacing + centre for n, spacing, centre in steps]


def phantom_ct(
    rng: Generator, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """An abdominal CT phantom in RAS, centred on the body.

    Args:
        rng: source of all randomness.
        shape: voxels along x, y, z; at least 300 x 230 x 240 mm hold all organs.
        spacing_mm: voxel size along x, y, z.

    Returns:
        HU (X, Y, Z) int16 in [-1024, 3071] and BTCV labels (X, Y, Z) uint8 in [0, 13].
    """
    return draw_phantom(rng, BTCV, grid(shape, spacing_mm))


def draw_case(
    rng: Generator, task: Task, spacing_mm: float
) -> tuple[nib.Nifti1Image, nib.Nifti1Image]:
    """Image and label of one case on one grid, as an archive would hold them.

    In-plane spacing is within 10 % of spacing_mm, slices are 1 to 1.6 times as thick; a small
    field of view (hippocampus, prostate) takes a finer spacing, 16 in-plane voxels at least.
    """
    base_mm = min(spacing_mm, min(task.size_mm) / 16) * rng.uniform(0.9, 1.1)
    spacing = np.array([base_mm, base_mm, base_mm * rng.uniform(1, 1.6)])
    size = task.size_mm * rng.uniform(0.95, 1.08, 3)
    axes_mm = grid(np.rint(size / spacing).astype(int), spacing, task.centre_mm)
    image, label = draw_phantom(rng, task, axes_mm)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = [axis[0] for axis in axes_mm] + rng.uniform(-1, 1, 3) * [20, 20, 400]
    code, image_type, label_type = (
        choices[rng.integers(len(choices))] for choices in (ORIENTATIONS, IMAGE_TYPES, LABEL_TYPES)
    )
    if image.shape[3:] == (1,):
        image = image[..., 0]
    if image_type != np.float32:
        image = np.rint(image)
    image = nib.Nifti1Image(image.astype(image_type), affine)
    label = nib.Nifti1Image(label.astype(label_type), affine)
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(code))
    return image.as_reoriented(turn), label.as_reoriented(turn)


def case_rng(seed: int, layout: str, number: int) -> Generator:
    """The random stream of one case: it depends on nothing but these three."""
    return np.random.default_rng([seed, zlib.crc32(layout.encode()), number])


def write(path: Path, save: Callable[[Path], None]) -> None:
    """Write a file through a temporary name beside it, so that it is there whole or not at all."""
    with replacing(path) as temporary:
        save(temporary)


def case_name(task: Task, number: int) -> str:
    """File name of a case, such as spleen_12.nii.gz or BRATS_001.nii.gz."""
    return f"{task.prefix}_{number:0{task.digits}d}.nii.gz"


def dataset_json(name: str, training: list[int], test: list[int]) -> dict:
    """The archive's own description of a task, for the cases of these numbers."""
    task = TASKS[name]
    pairs = [("image", "imagesTr"), ("label", "labelsTr")]
    return {
        "name": name.split("_")[1],
        "description": "Phantoms by tools/phantom.py: for trying things out, not for results",
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


def output_folder(out: str, count: int, seed: int, spacing_mm: float) -> Path:
    """The output folder; SystemExit where an argument cannot be meant."""
    if count < 1:
        raise SystemExit(f"count must be 1 or more, not {count}")
    if seed < 0:
        raise SystemExit(f"seed must be 0 or more, not {seed}")
    if not 0.5 <= spacing_mm <= 10:
        raise SystemExit(f"spacing_mm must be from 0.5 to 10 mm, not {spacing_mm}")
    folder = Path(str(out))
    if folder.exists() and not folder.is_dir():
        raise SystemExit(f"{folder} is a file; OUT is a folder to write into")
    return folder


def btcv(out: str, count: int = 8, seed: int = 0, first: int = 1, spacing_mm: float = 3.0) -> None:
    """Labelled abdominal CT in BTCV's layout: OUT/RawData/Training/{img,label}.

    Args:
        out: output folder; files of the same name are replaced.
        count: number of cases.
        seed: seed of the patients.
        first: number of the first case (img0001.nii.gz is 1).
        spacing_mm: in-plane voxel size about which the cases vary.
    """
    folder = output_folder(out, count, seed, spacing_mm) / "RawData" / "Training"
    for number in tqdm(range(first, first + count), desc="btcv"):
        image, label = draw_case(case_rng(seed, "btcv", number), BTCV, spacing_mm)
        write(folder / "img" / f"img{number:04d}.nii.gz", image.to_filename)
        write(folder / "label" / f"label{number:04d}.nii.gz", label.to_filename)


def corpus(
    out: str, count: int = 24, seed: int = 0, spacing_mm: float = 3.0, dicom: bool = False
) -> None:
    """Unlabelled CT of abdomen and lower chest in nested folders, .nii and .nii.gz mixed.

    Args:
        out: output folder; files of the same name are replaced.
        count: number of volumes.
        seed: seed of the patients.
        spacing_mm: in-plane voxel size about which the volumes vary.
        dicom: write a DICOM series for each instead; needs pydicom.
    """
    folder = output_folder(out, count, seed, spacing_mm)
    names = ("ct.nii.gz", "study_1/ct.nii", "study_1/series_2/ct.nii.gz")
    for number in tqdm(range(1, count + 1), desc="corpus"):
        rng = case_rng(seed, "corpus", number)
        task = replace(BTCV, centre_mm=(0, 0, rng.uniform(-30, 90)))
        image, _ = draw_case(rng, task, spacing_mm)
        patient = f"patient_{number:04d}"
        if dicom:
            from phantom_dicom import write_series  # pydicom is not needed for anything else here

            upright = nib.as_closest_canonical(image)
            hu, spacing = np.asarray(upright.dataobj), upright.header.get_zooms()
            write_series(folder / patient / "study_1/series_2", hu, spacing, PatientID=patient)
        else:
            write(folder / patient / names[(number - 1) % len(names)], image.to_filename)


def msd(
    out: str,
    task: str,
    count: int = 8,
    test_count: int = 2,
    seed: int = 0,
    spacing_mm: float = 3.0,
) -> None:
    """One task in the Medical Segmentation Decathlon's layout: OUT/<task>/dataset.json and images.

    Training cases have even numbers and test cases odd ones, so that raising either count
    renames nothing.

    Args:
        out: output folder; files of the same name are replaced.
        task: Task01_BrainTumour to Task10_Colon.
        count: number of training cases.
        test_count: number of test cases, without labels.
        seed: seed of the patients.
        spacing_mm: in-plane voxel size about which the cases vary.
    """
    if task not in TASKS:
        raise SystemExit(f"unknown task {task!r}; the ten are {', '.join(TASKS)}")
    if test_count < 0:
        raise SystemExit(f"test_count must be 0 or more, not {test_count}")
    folder, spec = output_folder(out, count, seed, spacing_mm) / task, TASKS[task]
    training = {number: "Tr" for number in range(2, 2 * count + 1, 2)}
    test = {number: "Ts" for number in range(1, 2 * test_count, 2)}
    for number, split in tqdm((training | test).items(), desc=task):
        image, label = draw_case(case_rng(seed, task, number), spec, spacing_mm)
        name = case_name(spec, number)
        write(folder / f"images{split}" / name, image.to_filename)
        if split == "Tr":
            write(folder / "labelsTr" / name, label.to_filename)
    content = json.dumps(dataset_json(task, list(training), list(test)), indent=2) + "\n"
    write(folder / "dataset.json", lambda path: path.write_text(content))


if __name__ == "__main__":
    fire.Fire({"btcv": btcv, "corpus": corpus, "msd": msd})
