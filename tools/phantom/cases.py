"""Draws phantoms with BTCV's 13 organs or a task of the MSD, and cases as archives hold them.

The organs' mean HU are drawn per phantom and overlap, so that intensity alone does not segment
them; position and shape do. Grids, orientations and data types vary as they do in real archives,
with affines that stay true.
"""

import zlib

import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, ornt_transform
from numpy.random import Generator

from .head import HEAD, head_background
from .intensity import draw_ct, draw_mr, look_up
from .parts import Blob, draw_parts, paint
from .pose import Points, draw_pose, widen
from .tasks import BTCV, Lesion, Task
from .tissue import T
from .torso import draw_torso, paint_bowel, paint_spine, torso_background

ORIENTATIONS = ("RAS", "LPS", "LAS", "LPS", "RAS", "SPL", "PSR")
IMAGE_TYPES = (np.int16, np.int16, np.int32, np.float32)
FIELD_SHIFT = 0.06  # of its length, for each 1 of variation above 1
LABEL_TYPES = (np.uint8, np.uint8, np.int16)


def paint_table(tissue: np.ndarray, axes_mm: list[np.ndarray], gap_mm: float) -> None:
    """Paints the scanner's table, slightly curved, gap_mm behind the body, as far as it is seen."""
    back_mm = axes_mm[1][(tissue != T.AIR).any((0, 2)).argmax()] - gap_mm
    depth = back_mm + axes_mm[0][:, None] ** 2 / 1500 - axes_mm[1]
    slab = (depth > 0) & (depth < 14) & (np.abs(axes_mm[0][:, None]) < 210)
    tissue[slab[..., None] & (tissue == T.AIR)] = T.TABLE


def draw_lesions(rng: Generator, lesion: Lesion, tissue: np.ndarray, points: Points) -> list[Blob]:
    """Draws ellipsoids around random voxels of the host organ; none where the field has no host."""
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


def draw_tissue(
    rng: Generator, task: Task, axes_mm: list[np.ndarray], variation: float = 1
) -> np.ndarray:
    """Paints a drawn patient on the grid that three axes (mm) span: (X, Y, Z) uint8."""
    pose = draw_pose(rng, 75 if task.head else 160, variation)
    parts = draw_parts(rng, HEAD, 0.8) if task.head else draw_torso(rng, variation)
    skin_mm = rng.uniform(*widen(5, 26, variation, least=2))
    phase, table_gap_mm = rng.uniform(0, 6.3, 3), rng.uniform(-9, 6)
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
    rng: Generator, task: Task, axes_mm: list[np.ndarray], variation: float = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Draws the image (X, Y, Z) int16 in HU or (X, Y, Z, C) float32, and uint8 labels."""
    spacing_mm = np.array([axis[1] - axis[0] for axis in axes_mm])
    tissue = draw_tissue(rng, task, axes_mm, variation)
    if task.channels == ("CT",):
        image = draw_ct(rng, tissue, spacing_mm, variation)
    else:
        image = draw_mr(rng, tissue, spacing_mm, task)
    return image, look_up(tissue, task.label_of_tissue, np.uint8)


def grid(shape: tuple, spacing_mm: tuple, centre_mm: tuple = (0, 0, 0)) -> list[np.ndarray]:
    """Computes voxel centres along each axis in mm, float64."""
    steps = zip(shape, spacing_mm, centre_mm, strict=True)
    return [(np.arange(n) - (n - 1) / 2) * spacing + centre for n, spacing, centre in steps]


def phantom_ct(
    rng: Generator, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Draws an abdominal CT phantom in RAS, centred on the body.

    Args:
        rng: source of all randomness.
        shape: voxels along x, y, z; at least 300 x 230 x 240 mm hold all organs.
        spacing_mm: voxel size along x, y, z.

    Returns:
        HU (X, Y, Z) int16 in [-1024, 3071] and BTCV labels (X, Y, Z) uint8 in [0, 13].
    """
    return draw_phantom(rng, BTCV, grid(shape, spacing_mm))


def draw_case(
    rng: Generator, task: Task, spacing_mm: float, variation: float = 1
) -> tuple[nib.Nifti1Image, nib.Nifti1Image]:
    """Draws image and label of one case on one grid, as an archive would hold them.

    In-plane spacing is within 10 % of spacing_mm, slices are 1 to 1.6 times as thick; a small
    field of view (hippocampus, prostate) takes the spacing and slices of its archive: about 1 mm
    and 0.9 mm, the prostate's slices 5.2 to 6.4 times as thick. A variation of 2 makes
    patients, HU, noise and field of view differ twice as much; above 1 the field moves along the
    body too.
    """
    base_mm = min(spacing_mm, min(task.size_mm) / 16, task.coarsest_mm) * rng.uniform(0.9, 1.1)
    spacing = np.array([base_mm, base_mm, base_mm * rng.uniform(*task.slice_ratio)])
    size = task.size_mm * rng.uniform(*widen(0.95, 1.08, variation), 3)
    centre_mm = np.array(task.centre_mm, float)
    if variation > 1:
        centre_mm[2] += (variation - 1) * rng.uniform(-FIELD_SHIFT, FIELD_SHIFT) * size[2]
    axes_mm = grid(np.rint(size / spacing).astype(int), spacing, centre_mm)
    image, label = draw_phantom(rng, task, axes_mm, variation)
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
    """Returns the random generator of one case: it depends on nothing but these three values."""
    return np.random.default_rng([seed, zlib.crc32(layout.encode()), number])
