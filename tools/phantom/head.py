"""Lists the parts of a head, and makes its background.

The origin is in the middle of the brain. Lengths are in mm.
"""

import numpy as np

from .parts import Part, blob, both, tube
from .pose import Points
from .tissue import BRAIN, T

HEAD: tuple[Part, ...] = (
    *both(tube("ventricle", T.FLUID, BRAIN, "9 32 6 5; 11 -10 20 7; 20 -38 8 7")),
    *both(blob("thalamus", T.GREY, (T.WHITE,), (13, -8, 6), (10, 16, 11))),
    *both(blob("putamen", T.GREY, (T.WHITE,), (27, 8, 4), (7, 18, 13), (0, 0, 12))),
    *both(tube("horn", T.FLUID, BRAIN, "37 2 -22 5; 34 -22 -15 5; 26 -38 -4 6")),
    *both(tube("hippocampus", T.HIPPOCAMPUS_HEAD, BRAIN, "25 5 -26 7; 29 -8 -23 7")),
    *both(tube("hippocampus", T.HIPPOCAMPUS_TAIL, BRAIN, "29 -9 -23 6.5; 24 -34 -12 5")),
)


def head_background(points: Points, skin_mm: float) -> np.ndarray:
    """Makes tissues (X, Y, Z) uint8 of a head without its parts: scalp, skull, folded cortex."""
    x, y, z = points
    level = np.sqrt((x / 68) ** 2 + (y / 86) ** 2 + (z / 72) ** 2)
    depth = (1 - level) * np.sqrt(x * x + y * y + z * z) / np.maximum(level, 1e-3)
    u, v, w = (p * (2 * np.pi / 27) for p in points)
    folds = np.sin(u) * np.cos(v) + np.sin(v) * np.cos(w) + np.sin(w) * np.cos(u)
    fissure = np.maximum(4 - np.abs(x), 0) * 6 * (z > 22)
    cortex = depth + 5 * folds - fissure
    tissue = np.where(depth > -7 - skin_mm, T.SCALP, T.AIR).astype(np.uint8)
    tissue[depth > -7] = T.SKULL
    tissue[depth > 0] = T.FLUID
    tissue[(depth > 2) & (cortex > 3)] = T.GREY
    tissue[(depth > 6) & (cortex > 11)] = T.WHITE
    return tissue
