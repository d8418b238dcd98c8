"""Turns tissues into intensities: HU of a CT, signal of an MR, blur and noise."""

import numpy as np
from numpy.random import Generator
from scipy.ndimage import gaussian_filter1d

from .pose import widen
from .tasks import HEAD_CHANNELS, TORSO_CHANNELS, Task
from .tissue import T, Tissue

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


def look_up(tissue: np.ndarray, values: dict[Tissue, float], dtype: type) -> np.ndarray:
    """Returns each voxel's tissue value, 0 where the table names none; same shape as tissue."""
    table = np.zeros(len(Tissue), dtype)
    table[list(values)] = list(values.values())
    return table[tissue]


def blur(volume: np.ndarray, sigma_mm: float, spacing_mm: np.ndarray) -> np.ndarray:
    """Blurs (X, Y, Z) float32 by a Gaussian of at least 0.45 voxels: the partial volume effect."""
    for axis, spacing in enumerate(spacing_mm):
        sigma = max(sigma_mm / spacing, 0.45)
        volume = gaussian_filter1d(volume, sigma, axis, truncate=3.0)
    return volume


def noise(rng: Generator, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """Draws white noise (X, Y, Z) float32 of standard deviation sigma."""
    return rng.standard_normal(shape, np.float32) * np.float32(sigma)


def draw_ct(
    rng: Generator, tissue: np.ndarray, spacing_mm: np.ndarray, variation: float = 1
) -> np.ndarray:
    """Draws the CT of a tissue map in HU, [-1024, 3071], (X, Y, Z) int16.

    Drawn per phantom: the contrast phase (none, or arterial and venous shares), each tissue's
    mean HU, the width of the reconstruction kernel and the noise, which it correlates. The spreads
    of the last three are times the variation.
    """
    arterial, venous = rng.uniform(0, 1, 2) * (rng.uniform() < 0.8)
    means = {
        key: rng.normal(base, variation * sd) + arterial * early + venous * late
        for key, (base, sd, early, late) in CT.items()
    }
    kernel_mm = rng.uniform(*widen(0.8, 1.6, variation, least=0))
    noise_hu = rng.uniform(*widen(12, 28, variation, least=2))
    hu = look_up(tissue, means, np.float32)
    hu += noise(rng, hu.shape, noise_hu)
    hu = blur(hu, kernel_mm, spacing_mm)
    return np.rint(hu, out=hu).clip(-1024, 3071).astype(np.int16)


def draw_mr(rng: Generator, tissue: np.ndarray, spacing_mm: np.ndarray, task: Task) -> np.ndarray:
    """Draws the MR of a tissue map, a channel per sequence, (X, Y, Z, C) float32, values >= 0.

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
