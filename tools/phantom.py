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
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import fire
import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, ornt_transform
from numpy.random import Generator
from phantom_anatomy import (
    HEAD,
    Blob,
    Points,
    T,
    Tissue,
    draw_parts,
    draw_pose,
    draw_torso,
    head_background,
    paint,
    paint_bowel,
    paint_spine,
    torso_background,
)
from scipy.ndimage import gaussian_filter1d
from tqdm import tqdm

ORGANS = (  # BTCV's, at the index of their label
    "background",
    "spleen",
    "right kidney",
    "left kidney",
    "gallbladder",
    "esophagus",
    "liver",
    "stomach",
    "aorta",
    "inferior vena cava",
    "portal and splenic veins",
    "pancreas",
    "right adrenal gland",
    "left adrenal gland",
)
ORGAN_OF_TISSUE = {
    T.SPLEEN: 1,
    **dict.fromkeys([T.RIGHT_KIDNEY, T.RIGHT_MEDULLA], 2),
    **dict.fromkeys([T.LEFT_KIDNEY, T.LEFT_MEDULLA], 3),
    T.GALLBLADDER: 4,
    T.ESOPHAGUS: 5,
    **dict.fromkeys([T.LIVER, T.LIVER_VESSEL], 6),
    **dict.fromkeys([T.STOMACH, T.STOMACH_CONTENT, T.STOMACH_GAS], 7),
    T.AORTA: 8,
    T.VENA_CAVA: 9,
    T.PORTAL_VEIN: 10,
    T.PANCREAS: 11,
    T.RIGHT_ADRENAL: 12,
    T.LEFT_ADRENAL: 13,
}

# Tissue: mean HU without contrast, its standard deviation between patients, and the HU that a
# full arterial and a full venous phase add.
CT: dict[Tissue, tuple[float, float, float, float]] = {
    T.AIR: (-1000, 0, 0, 0),
    T.TABLE: (-150, 60, 0, 0),
    T.FAT: (-105, 8, 0, 0),
    T.CAVITY: (-98, 8, 0, 0),
    T.MEDIASTINUM: (-95, 8, 0, 0),
    T.SINUS: (-85, 10, 0, 0),
    T.MUSCLE: (56, 6, 4, 14),
    T.LUNG: (-840, 40, 0, 0),
    T.LUNG_VESSEL: (40, 5, 110, 80),
    T.BONE: (430, 80, 0, 0),
    T.MARROW: (170, 50, 0, 0),
    T.DISC: (85, 12, 0, 0),
    T.CANAL: (30, 5, 0, 0),
    T.MYOCARDIUM: (48, 6, 45, 60),
    T.BLOOD: (42, 4, 130, 90),
    T.LEFT_ATRIUM: (42, 4, 140, 90),
    T.SPLEEN: (52, 8, 55, 50),
    T.RIGHT_KIDNEY: (36, 6, 105, 85),
    T.RIGHT_MEDULLA: (34, 6, 30, 85),
    T.LEFT_KIDNEY: (36, 6, 105, 85),
    T.LEFT_MEDULLA: (34, 6, 30, 85),
    T.GALLBLADDER: (10, 9, 0, 0),
    T.ESOPHAGUS: (42, 8, 15, 35),
    T.LIVER: (58, 12, 12, 45),
    T.LIVER_VESSEL: (42, 5, 15, 100),
    T.STOMACH: (45, 8, 25, 45),
    T.STOMACH_CONTENT: (45, 35, 0, 0),
    T.STOMACH_GAS: (-930, 40, 0, 0),
    T.AORTA: (42, 4, 160, 90),
    T.VENA_CAVA: (42, 4, 40, 90),
    T.PORTAL_VEIN: (42, 4, 40, 105),
    T.PANCREAS: (42, 8, 55, 45),
    T.RIGHT_ADRENAL: (38, 8, 40, 45),
    T.LEFT_ADRENAL: (38, 8, 40, 45),
    T.BOWEL: (46, 8, 35, 50),
    T.BOWEL_CONTENT: (50, 40, 0, 0),
    T.COLON: (46, 8, 25, 45),
    T.COLON_CONTENT: (30, 30, 0, 0),
    T.COLON_GAS: (-930, 40, 0, 0),
    T.BLADDER: (8, 6, 0, 0),
    T.PERIPHERAL_ZONE: (40, 5, 20, 30),
    T.TRANSITION_ZONE: (45, 5, 30, 40),
    T.TUMOUR: (32, 12, 15, 20),
}
# Relative signal in MR of a head (FLAIR, T1w, t1gd, T2w) and of a torso (MRI, T2, ADC).
HEAD_CHANNELS = ("FLAIR", "T1w", "t1gd", "T2w")
HEAD_MR: dict[Tissue, tuple[float, ...]] = {
    T.AIR: (0, 0, 0, 0),
    T.SCALP: (0.6, 0.8, 0.9, 0.5),
    T.SKULL: (0.05, 0.05, 0.05, 0.05),
    T.FLUID: (0.1, 0.15, 0.15, 1.0),
    T.GREY: (0.6, 0.5, 0.52, 0.6),
    T.WHITE: (0.48, 0.75, 0.75, 0.42),
    T.HIPPOCAMPUS_HEAD: (0.65, 0.55, 0.55, 0.6),
    T.HIPPOCAMPUS_TAIL: (0.65, 0.55, 0.55, 0.6),
    T.EDEMA: (0.95, 0.45, 0.45, 0.85),
    T.CORE: (0.65, 0.3, 0.28, 0.95),
    T.ENHANCING: (0.8, 0.45, 1.1, 0.7),
}
TORSO_CHANNELS = ("MRI", "T2", "ADC")
TORSO_MR: dict[Tissue, tuple[float, ...]] = dict.fromkeys(Tissue, (0.35, 0.35, 0.35)) | {
    T.AIR: (0, 0, 0),
    T.FAT: (0.7, 0.7, 0.05),
    T.CAVITY: (0.7, 0.65, 0.05),
    T.MEDIASTINUM: (0.6, 0.6, 0.05),
    T.MUSCLE: (0.25, 0.2, 0.4),
    T.LUNG: (0.05, 0.05, 0.05),
    T.LUNG_VESSEL: (0.7, 0.2, 0.3),
    T.BONE: (0.1, 0.1, 0.05),
    T.MARROW: (0.4, 0.5, 0.1),
    T.MYOCARDIUM: (0.4, 0.4, 0.4),
    T.BLOOD: (0.9, 0.15, 0.3),
    T.LEFT_ATRIUM: (0.9, 0.15, 0.3),
    T.AORTA: (0.9, 0.1, 0.3),
    T.VENA_CAVA: (0.8, 0.1, 0.3),
    T.BLADDER: (0.8, 1.0, 1.0),
    T.PERIPHERAL_ZONE: (0.5, 0.85, 0.75),
    T.TRANSITION_ZONE: (0.5, 0.45, 0.5),
}


@dataclass(frozen=True)
class Lesion:
    """Tumours to draw: concentric layers, each a tissue and its share of the radius."""

    host: Tissue
    onto: tuple[Tissue, ...]
    radius_mm: tuple[float, float]
    most: int = 1  # the number is drawn from 1 to this
    layers: tuple[tuple[Tissue, float], ...] = ((T.TUMOUR, 1.0),)


@dataclass(frozen=True)
class Task:
    """What a layout shows: file names, channels, labels, field of view, lesions."""

    prefix: str
    labels: tuple[str, ...]  # without the background
    label_of_tissue: dict[Tissue, int]
    channels: tuple[str, ...] = ("CT",)
    size_mm: tuple[float, float, float] = (365, 275, 265)
    centre_mm: tuple[float, float, float] = (0, 0, 0)  # in the body frame
    lesion: Lesion | None = None
    digits: int = 3
    head: bool = False
    stripped: bool = False  # of skull and scalp, as BRATS is


BTCV = Task("img", ORGANS[1:], ORGAN_OF_TISSUE, digits=4)
TASKS: dict[str, Task] = {
    "Task01_BrainTumour": Task(
        prefix="BRATS",
        labels=("edema", "non-enhancing tumor", "enhancing tumour"),
        label_of_tissue={T.EDEMA: 1, T.CORE: 2, T.ENHANCING: 3},
        channels=HEAD_CHANNELS,
        size_mm=(176, 216, 176),
        lesion=Lesion(
            host=T.WHITE,
            onto=(T.WHITE, T.GREY, T.FLUID),
            radius_mm=(24, 34),
            layers=((T.EDEMA, 1.0), (T.ENHANCING, 0.65), (T.CORE, 0.45)),
        ),
        head=True,
        stripped=True,
    ),
    "Task02_Heart": Task(
        prefix="la",
        labels=("left atrium",),
        label_of_tissue={T.LEFT_ATRIUM: 1},
        channels=("MRI",),
        size_mm=(330, 260, 150),
        centre_mm=(0, 10, 155),
    ),
    "Task03_Liver": Task(
        prefix="liver",
        labels=("liver", "cancer"),
        label_of_tissue={T.LIVER: 1, T.LIVER_VESSEL: 1, T.TUMOUR: 2},
        lesion=Lesion(T.LIVER, (T.LIVER, T.LIVER_VESSEL), radius_mm=(8, 26), most=4),
        digits=0,
    ),
    "Task04_Hippocampus": Task(
        prefix="hippocampus",
        labels=("Anterior", "Posterior"),
        label_of_tissue={T.HIPPOCAMPUS_HEAD: 1, T.HIPPOCAMPUS_TAIL: 2},
        channels=("T1w",),
        size_mm=(36, 60, 44),
        centre_mm=(28, -14, -20),
        head=True,
    ),
    "Task05_Prostate": Task(
        prefix="prostate",
        labels=("PZ", "TZ"),
        label_of_tissue={T.PERIPHERAL_ZONE: 1, T.TRANSITION_ZONE: 2},
        channels=("T2", "ADC"),
        size_mm=(170, 170, 80),
        centre_mm=(0, 5, -250),
        digits=2,
    ),
    "Task06_Lung": Task(
        prefix="lung",
        labels=("cancer",),
        label_of_tissue={T.TUMOUR: 1},
        centre_mm=(0, 0, 175),
        lesion=Lesion(T.LUNG, (T.LUNG, T.LUNG_VESSEL), radius_mm=(7, 20)),
    ),
    "Task07_Pancreas": Task(
        prefix="pancreas",
        labels=("pancreas", "cancer"),
        label_of_tissue={T.PANCREAS: 1, T.TUMOUR: 2},
        lesion=Lesion(T.PANCREAS, (T.PANCREAS, T.CAVITY), radius_mm=(7, 14)),
    ),
    "Task08_HepaticVessel": Task(
        prefix="hepaticvessel",
        labels=("Vessel", "Tumour"),
        label_of_tissue={T.LIVER_VESSEL: 1, T.TUMOUR: 2},
        lesion=Lesion(T.LIVER, (T.LIVER,), radius_mm=(10, 26), most=2),
    ),
    "Task09_Spleen": Task(
        prefix="spleen",
        labels=("spleen",),
        label_of_tissue={T.SPLEEN: 1},
        digits=0,
    ),
    "Task10_Colon": Task(
        prefix="colon",
        labels=("colon cancer primaries",),
        label_of_tissue={T.TUMOUR: 1},
        centre_mm=(0, 0, -45),
        lesion=Lesion(
            host=T.COLON,
            onto=(T.COLON, T.COLON_CONTENT, T.COLON_GAS, T.CAVITY),
            radius_mm=(9, 18),
        ),
    ),
}
ORIENTATIONS = ("RAS", "LPS", "LAS", "LPS", "RAS", "SPL", "PSR")
IMAGE_TYPES = (np.int16, np.int16, np.int32, np.float32)
LABEL_TYPES = (np.uint8, np.uint8, np.int16)


def look_up(tissue: np.ndarray, values: dict[Tissue, float], dtype: type) -> np.ndarray:
    """Value of each voxel's tissue, 0 where the table names none; same shape as tissue."""
    table = np.zeros(len(Tissue), dtype)
    table[list(values)] = list(values.values())
    return table[tissue]


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


def blur(volume: np.ndarray, sigma_mm: float, spacing_mm: np.ndarray) -> np.ndarray:
    """Gaussian blur of (X, Y, Z) float32, at least 0.45 voxels: the partial volume effect."""
    for axis, spacing in enumerate(spacing_mm):
        sigma = max(sigma_mm / spacing, 0.45)
        volume = gaussian_filter1d(volume, sigma, axis, truncate=3.0)
    return volume


def noise(rng: Generator, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """White noise (X, Y, Z) float32 of standard deviation sigma."""
    return rng.standard_normal(shape, np.float32) * np.float32(sigma)


def draw_ct(rng: Generator, tissue: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
    """CT of a tissue map in HU, [-1024, 3071], (X, Y, Z) int16.

    Drawn per phantom: the contrast phase (none, or arterial and venous shares), each tissue's
    mean HU, the width of the reconstruction kernel and the noise, which it correlates.
    """
    arterial, venous = rng.uniform(0, 1, 2) * (rng.uniform() < 0.8)
    means = {
        key: rng.normal(base, sd) + arterial * early + venous * late
        for key, (base, sd, early, late) in CT.items()
    }
    kernel_mm, noise_hu = rng.uniform(0.8, 1.6), rng.uniform(12, 28)
    hu = look_up(tissue, means, np.float32)
    hu += noise(rng, hu.shape, noise_hu)
    hu = blur(hu, kernel_mm, spacing_mm)
    return np.rint(hu, out=hu).clip(-1024, 3071).astype(np.int16)


def draw_mr(rng: Generator, tissue: np.ndarray, spacing_mm: np.ndarray, task: Task) -> np.ndarray:
    """MR of a tissue map, one channel per sequence, (X, Y, Z, C) float32, arbitrary units >= 0.

    Each channel has its own scale; all share a bias field. Noise is Rician.
    """
    names, table = (HEAD_CHANNELS, HEAD_MR) if task.head else (TORSO_CHANNELS, TORSO_MR)
    ramps = [np.linspace(-1, 1, n, dtype=np.float32) for n in tissue.shape]
    x, y, z = np.meshgrid(*ramps, indexing="ij", sparse=True)
    a, b, c, d, e = rng.uniform(-0.25, 0.25, 5).astype(np.float32)
    bias = np.exp(a * x + b * y + c * z + d * x * y + e * (x * x + z * z))
    image = np.empty((*tissue.shape, len(task.channels)), np.float32)
    for channel, name in enumerate(task.channels):
        column = names.index(name)
        means = {key: row[column] * rng.uniform(0.9, 1.1) for key, row in table.items()}
        signal = bias * blur(look_up(tissue, means, np.float32), 0.8, spacing_mm)
        sigma, scale = rng.uniform(0.02, 0.05), 10 ** rng.uniform(2, 3.2)
        parts = signal + noise(rng, bias.shape, sigma), noise(rng, bias.shape, sigma)
        image[..., channel] = scale * np.hypot(*parts)
    if task.stripped:
        image[np.isin(tissue, [T.AIR, T.SCALP, T.SKULL])] = 0
    return image


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
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        save(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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


def corpus(out: str, count: int = 24, seed: int = 0, spacing_mm: float = 3.0) -> None:
    """Unlabelled CT of abdomen and lower chest in nested folders, .nii and .nii.gz mixed.

    Args:
        out: output folder; files of the same name are replaced.
        count: number of volumes.
        seed: seed of the patients.
        spacing_mm: in-plane voxel size about which the volumes vary.
    """
    folder = output_folder(out, count, seed, spacing_mm)
    names = ("ct.nii.gz", "study_1/ct.nii", "study_1/series_2/ct.nii.gz")
    for number in tqdm(range(1, count + 1), desc="corpus"):
        rng = case_rng(seed, "corpus", number)
        task = replace(BTCV, centre_mm=(0, 0, rng.uniform(-30, 90)))
        image, _ = draw_case(rng, task, spacing_mm)
        path = folder / f"patient_{number:04d}" / names[(number - 1) % len(names)]
        write(path, image.to_filename)


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
