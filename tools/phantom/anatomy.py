"""Defines where organs lie, how patients differ, and how tissues look in CT and MR.

The body frame is RAS in mm: +x to the patient's right, +y anterior, +z superior. A torso has its
origin in the middle of the abdomen (level of L1), a head in the middle of the brain. A body is a
background (skin to cavity, or scalp to white matter) on which parts, tubes and ellipsoids, are
painted in order, each only onto the tissues that it may replace; so organs never overlap.
The result is a map of tissues; labels and intensities are look-up tables of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum, auto

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

Points = list[np.ndarray]  # body coordinates x, y, z in mm, each (X, Y, Z) float32


class Tissue(IntEnum):
    """Lists the tissues that a voxel can be."""

    AIR = 0
    FAT = auto()
    MUSCLE = auto()
    CAVITY = auto()  # intra-abdominal fat, where the organs go
    MEDIASTINUM = auto()
    LUNG = auto()
    LUNG_VESSEL = auto()
    BONE = auto()
    MARROW = auto()
    DISC = auto()
    CANAL = auto()
    MYOCARDIUM = auto()
    BLOOD = auto()
    LEFT_ATRIUM = auto()
    SPLEEN = auto()
    RIGHT_KIDNEY = auto()
    RIGHT_MEDULLA = auto()
    LEFT_KIDNEY = auto()
    LEFT_MEDULLA = auto()
    SINUS = auto()  # fat of the renal sinus
    GALLBLADDER = auto()
    ESOPHAGUS = auto()
    LIVER = auto()
    LIVER_VESSEL = auto()
    STOMACH = auto()
    STOMACH_CONTENT = auto()
    STOMACH_GAS = auto()
    AORTA = auto()
    VENA_CAVA = auto()
    PORTAL_VEIN = auto()
    PANCREAS = auto()
    RIGHT_ADRENAL = auto()
    LEFT_ADRENAL = auto()
    BOWEL = auto()
    BOWEL_CONTENT = auto()
    COLON = auto()
    COLON_CONTENT = auto()
    COLON_GAS = auto()
    BLADDER = auto()
    PERIPHERAL_ZONE = auto()
    TRANSITION_ZONE = auto()
    TUMOUR = auto()
    TABLE = auto()
    SCALP = auto()
    SKULL = auto()
    FLUID = auto()  # cerebrospinal
    GREY = auto()
    WHITE = auto()
    HIPPOCAMPUS_HEAD = auto()
    HIPPOCAMPUS_TAIL = auto()
    EDEMA = auto()
    CORE = auto()
    ENHANCING = auto()


T = Tissue
CAVITY = (T.CAVITY,)
CHEST = (T.MEDIASTINUM, T.LUNG)
TRUNK = (T.CAVITY, T.MEDIASTINUM, T.LUNG, T.MUSCLE)
BRAIN = (T.GREY, T.WHITE, T.FLUID)


@dataclass(frozen=True)
class Tube:
    """Describes a chain of round cones: nodes (N, 4) are x, y, z and radius in mm."""

    organ: str  # parts of one organ vary together
    tissue: Tissue
    onto: tuple[Tissue, ...]
    nodes: np.ndarray
    above_y_mm: float = -np.inf  # only what lies above, as gas does in a supine patient

    def pieces(self) -> Iterator["Tube"]:
        """Yields one tube of two nodes per segment, so that each has a small bounding box."""
        for i in range(len(self.nodes) - 1):
            yield replace(self, nodes=self.nodes[i : i + 2])

    def box(self) -> np.ndarray:
        """Computes the bounding box (2, 3) in mm."""
        xyz, radius = self.nodes[:, :3], self.nodes[:, 3:]
        return np.stack([(xyz - radius).min(0), (xyz + radius).max(0)])

    def inside(self, points: Points) -> np.ndarray:
        """Marks the points within the radius of the segment between the first two nodes."""
        (start, r0), (end, r1) = [(node[:3], node[3]) for node in self.nodes.astype(np.float32)]
        axis = end - start
        offset = [p - s for p, s in zip(points, start, strict=True)]
        along = sum(o * a for o, a in zip(offset, axis / (axis @ axis), strict=True))
        along = np.clip(along, 0, 1)
        distance2 = sum((o - along * a) ** 2 for o, a in zip(offset, axis, strict=True))
        return distance2 < (r0 + along * (r1 - r0)) ** 2

    def vary(self, shift_mm: np.ndarray, size: float) -> "Tube":
        """Shifts the tube and scales its radii (its course stays, so that it still connects)."""
        nodes = self.nodes * [1, 1, 1, size] + [*shift_mm, 0]
        return replace(self, nodes=nodes)


@dataclass(frozen=True)
class Blob:
    """Describes an ellipsoid: centre, radii in mm, and Euler angles about x, y, z in degrees."""

    organ: str
    tissue: Tissue
    onto: tuple[Tissue, ...]
    centre: np.ndarray
    radii: np.ndarray
    tilt_deg: tuple[float, float, float] = (0, 0, 0)
    above_y_mm: float = -np.inf

    def pieces(self) -> Iterator["Blob"]:
        """Yields the ellipsoid itself: it is one piece."""
        yield self

    def axes(self) -> np.ndarray:
        """Returns the semi-axes as the columns of a (3, 3) matrix in mm."""
        return Rotation.from_euler("xyz", self.tilt_deg, degrees=True).as_matrix() * self.radii

    def box(self) -> np.ndarray:
        """Computes the bounding box (2, 3) in mm."""
        half = np.linalg.norm(self.axes(), axis=1)
        return np.stack([self.centre - half, self.centre + half])

    def inside(self, points: Points) -> np.ndarray:
        """Marks the points in the ellipsoid."""
        unit = np.linalg.inv(self.axes()).astype(np.float32)
        offset = [p - np.float32(c) for p, c in zip(points, self.centre, strict=True)]
        return sum(sum(u * o for u, o in zip(row, offset, strict=True)) ** 2 for row in unit) < 1

    def vary(self, shift_mm: np.ndarray, size: float) -> "Blob":
        """Shifts and scales the ellipsoid."""
        return replace(self, centre=self.centre + shift_mm, radii=self.radii * size)


Part = Tube | Blob


def tube(organ: str, tissue: Tissue, onto: tuple[Tissue, ...], nodes: str) -> Tube:
    """Makes a tube from its nodes, "x y z radius; x y z radius; ..." in mm."""
    return Tube(organ, tissue, onto, np.array([node.split() for node in nodes.split(";")], float))


def blob(organ: str, tissue: Tissue, onto: tuple, centre: tuple, radii: tuple, tilt=(0, 0, 0)):
    """Makes an ellipsoid from its centre and radii in mm and its tilt in degrees."""
    return Blob(organ, tissue, onto, np.array(centre, float), np.array(radii, float), tilt)


def both(part: Part) -> tuple[Part, Part]:
    """Returns the part and its mirror image on the patient's other side."""
    mirror = np.array([-1, 1, 1, 1])
    if isinstance(part, Tube):
        return part, replace(part, nodes=part.nodes * mirror)
    x, y, z = part.tilt_deg
    return part, replace(part, centre=part.centre * mirror[:3], tilt_deg=(x, -y, -z))


def hollow(organ: str, wall: Tissue, content: Tissue, nodes: str) -> tuple[Tube, Tube]:
    """Makes a hollow organ: a tube of wall, and in it, 4 mm thinner, one of content."""
    outer = tube(organ, wall, CAVITY, nodes)
    return outer, replace(outer, tissue=content, onto=(wall,), nodes=outer.nodes - [0, 0, 0, 4])


def kidney(cortex: Tissue, medulla: Tissue, side: int, z: float) -> tuple[Blob, ...]:
    """Makes cortex, medulla and sinus, open towards the spine; side is 1 (right) or -1 (left)."""
    tilt = (-8, side * -14, side * -20)
    return (
        blob(cortex.name, cortex, CAVITY, (side * 64, -40, z), (27, 23, 55), tilt),
        blob(cortex.name, medulla, (cortex,), (side * 63, -39, z), (19, 15, 46), tilt),
        blob(cortex.name, T.SINUS, (cortex, medulla), (side * 48, -32, z), (15, 10, 20), tilt),
    )


# Painted in this order. Positions and sizes follow a supine adult of 330 x 226 mm.
TORSO: tuple[Part, ...] = (
    *both(tube("back", T.MUSCLE, TRUNK, "30 -80 320 17; 32 -77 0 24; 30 -86 -190 24")),
    *both(tube("psoas", T.MUSCLE, CAVITY, "22 -42 5 7; 44 -38 -70 18; 62 -10 -180 20")),
    *both(tube("loin", T.MUSCLE, CAVITY, "66 -76 0 11; 80 -66 -120 15")),
    *both(blob("hip", T.BONE, (T.MUSCLE, T.CAVITY), (86, 4, -246), (27, 27, 27))),
    *both(blob("hip", T.MARROW, (T.BONE,), (86, 4, -246), (23, 23, 23))),
    *both(tube("pubis", T.BONE, (T.MUSCLE, T.CAVITY), "55 40 -240 10; 6 58 -258 10")),
    *both(tube("obturator", T.MUSCLE, CAVITY, "52 8 -215 12; 44 5 -300 15")),
    blob("heart", T.MEDIASTINUM, CHEST, (-20, 27, 135), (68, 56, 54), (0, -25, 0)),
    blob("heart", T.MYOCARDIUM, CHEST, (-22, 28, 135), (62, 50, 46), (0, -25, 0)),
    blob("heart", T.BLOOD, (T.MYOCARDIUM,), (-44, 26, 124), (30, 22, 22), (0, -25, 0)),
    blob("heart", T.BLOOD, (T.MYOCARDIUM,), (-12, 54, 122), (34, 18, 26), (0, -25, 0)),
    blob("heart", T.BLOOD, (T.MYOCARDIUM,), (22, 26, 142), (19, 22, 26)),
    blob("heart", T.LEFT_ATRIUM, (*CHEST, T.MYOCARDIUM), (-4, -2, 160), (31, 19, 25)),
    *both(tube("heart", T.LEFT_ATRIUM, CHEST, "18 -6 168 7; 48 -14 178 5")),
    *both(tube("heart", T.LEFT_ATRIUM, CHEST, "18 -6 150 7; 46 -20 142 5")),
    tube(
        "aorta",
        T.AORTA,
        (*TRUNK, T.MYOCARDIUM),
        "8 26 152 14; 12 26 205 14; -2 8 232 13; -20 -18 224 12; -25 -28 190 12;"
        "-23 -26 110 12; -14 -10 62 11.5; -9 -8 0 10.5; -4 -8 -100 9.5",
    ),
    *both(tube("iliac", T.BLOOD, CAVITY, "4 -8 -106 7; 34 -12 -160 6; 62 20 -220 5")),
    tube(
        "cava",
        T.VENA_CAVA,
        TRUNK,
        "16 -8 -112 10; 18 -6 -20 12; 22 -2 45 13; 22 10 92 13; 22 18 125 13",
    ),
    tube(
        "esophagus",
        T.ESOPHAGUS,
        TRUNK,
        "-2 -14 300 8; -4 -14 190 8; -10 -2 110 9; -20 6 80 9.5; -42 -2 64 10",
    ),
    tube(
        "portal",
        T.PORTAL_VEIN,
        CAVITY,
        "-84 -22 26 4.5; -46 -6 22 5.5; 0 10 12 6.5; 22 16 26 8; 42 12 44 8; 64 6 48 6",
    ),
    tube("portal", T.PORTAL_VEIN, CAVITY, "42 12 44 7; 24 34 54 5.5"),
    tube("portal", T.PORTAL_VEIN, CAVITY, "0 10 12 6.5; 4 18 -16 6"),
    tube("mesenteric", T.BLOOD, CAVITY, "4 18 -16 6; 8 28 -80 5"),
    tube("right adrenal", T.RIGHT_ADRENAL, TRUNK, "38 -22 44 3.5; 40 -32 30 5; 44 -42 12 4"),
    tube("right adrenal", T.RIGHT_ADRENAL, TRUNK, "40 -32 30 4.5; 35 -44 14 4"),
    tube("left adrenal", T.LEFT_ADRENAL, TRUNK, "-36 -14 40 3.5; -38 -22 28 5; -46 -30 16 4"),
    tube("left adrenal", T.LEFT_ADRENAL, TRUNK, "-38 -22 28 4.5; -32 -34 16 4"),
    *kidney(T.RIGHT_KIDNEY, T.RIGHT_MEDULLA, 1, -40),
    *kidney(T.LEFT_KIDNEY, T.LEFT_MEDULLA, -1, -28),
    tube("gallbladder", T.GALLBLADDER, CAVITY, "46 34 8 8; 54 52 -16 16; 57 58 -28 15"),
    tube(
        "pancreas",
        T.PANCREAS,
        CAVITY,
        "30 14 -24 12; 26 18 -4 17; 4 26 12 11; -34 14 24 12.5; -78 -10 30 11",
    ),
    *hollow(
        "stomach",
        T.STOMACH,
        T.STOMACH_CONTENT,
        "-52 -8 58 34; -62 18 38 33; -56 42 14 29; -22 56 -2 21; 18 44 2 14",
    ),
    *hollow(
        "duodenum",
        T.BOWEL,
        T.BOWEL_CONTENT,
        "20 44 2 13; 50 26 0 13; 50 4 -34 14; 20 8 -48 13; -26 14 -40 13",
    ),
    blob("spleen", T.SPLEEN, CAVITY, (-100, -34, 20), (28, 46, 52), (-15, 12, 20)),
    blob("liver", T.LIVER, CAVITY, (66, -2, 50), (74, 84, 50), (0, 14, 0)),
    blob("liver", T.LIVER, CAVITY, (100, -2, -2), (38, 74, 66), (0, -8, 0)),
    blob("liver", T.LIVER, CAVITY, (2, 42, 50), (72, 36, 32), (0, -10, -8)),
    *hollow(
        "colon",
        T.COLON,
        T.COLON_CONTENT,
        "100 -12 -150 24; 106 -12 -90 25; 104 0 -52 23; 80 48 -50 20; 20 66 -52 19;"
        "-50 62 -34 19; -100 30 -8 20; -112 -14 -20 19; -112 -22 -80 18; -100 -8 -150 17;"
        "-70 10 -178 16; -25 -5 -185 15; 0 -40 -200 17; 0 -33 -250 16; 0 -33 -300 15",
    ),
    blob("bladder", T.BLADDER, CAVITY, (0, 26, -204), (42, 34, 28)),
    blob("prostate", T.PERIPHERAL_ZONE, CAVITY, (0, 6, -255), (28, 20, 23)),
    blob("prostate", T.TRANSITION_ZONE, (T.PERIPHERAL_ZONE,), (0, 11, -252), (20, 14, 18)),
)
HEAD: tuple[Part, ...] = (
    *both(tube("ventricle", T.FLUID, BRAIN, "9 32 6 5; 11 -10 20 7; 20 -38 8 7")),
    *both(blob("thalamus", T.GREY, (T.WHITE,), (13, -8, 6), (10, 16, 11))),
    *both(blob("putamen", T.GREY, (T.WHITE,), (27, 8, 4), (7, 18, 13), (0, 0, 12))),
    *both(tube("horn", T.FLUID, BRAIN, "37 2 -22 5; 34 -22 -15 5; 26 -38 -4 6")),
    *both(tube("hippocampus", T.HIPPOCAMPUS_HEAD, BRAIN, "25 5 -26 7; 29 -8 -23 7")),
    *both(tube("hippocampus", T.HIPPOCAMPUS_TAIL, BRAIN, "29 -9 -23 6.5; 24 -34 -12 5")),
)
# Trees of vessels: tissue, onto, then root (x, y, z, radius), direction and length of the trunk.
TORSO_TREES = (
    (T.LIVER_VESSEL, (T.LIVER,), (60, 6, 48, 5), (30, -4, -12), 34),
    (T.LIVER_VESSEL, (T.LIVER,), (60, 6, 48, 5), (20, 10, 16), 30),
    (T.LIVER_VESSEL, (T.LIVER,), (24, 34, 54, 4.5), (-20, 8, -2), 24),
    (T.LIVER_VESSEL, (T.LIVER,), (24, 8, 84, 6), (30, -10, -12), 36),
    (T.LIVER_VESSEL, (T.LIVER,), (22, 14, 84, 5.5), (12, 22, -12), 34),
    *(
        (T.LUNG_VESSEL, (T.LUNG,), (side * 26, -4, 172, 7), (side * 30, y, z), 38)
        for side in (1, -1)
        for y, z in ((-14, -24), (10, 26), (16, -22), (-16, 14))
    ),
)


def branches(rng: Generator, root: np.ndarray, step_mm: np.ndarray, depth: int) -> list[np.ndarray]:
    """Segments (2, 4) of a binary tree from root (x, y, z, radius) along step_mm (3,)."""
    bend = Rotation.from_rotvec(rng.normal(0, 0.25, 3)).apply(step_mm)
    tip = np.array([*(root[:3] + bend), root[3] * 0.8])
    segments = [np.stack([root, tip])]
    if depth > 1:
        turn = rng.uniform(0.35, 0.75) * np.array([1, -1])
        across = np.cross(bend, rng.standard_normal(3))
        across /= np.linalg.norm(across)
        for angle in turn:
            step = Rotation.from_rotvec(angle * across).apply(bend) * rng.uniform(0.7, 0.9)
            segments += branches(rng, tip, step, depth - 1)
    return segments


@dataclass(frozen=True)
class Pose:
    """Maps the scanner's frame (RAS, mm, origin near the body's) smoothly to the body frame.

    body = matrix @ scanner + shift_mm + waves, where waves (coordinate, plane, octave, 5) hold
    amplitude in mm, two wave numbers in rad/mm and two phases of a product of two sines.
    """

    matrix: np.ndarray
    shift_mm: np.ndarray
    waves: np.ndarray

    def points(self, axes_mm: list[np.ndarray]) -> Points:
        """Computes body coordinates of the grid that three 1-D axes (scanner, mm) span."""
        axes = [np.float32(a).reshape(np.roll([-1, 1, 1], i)) for i, a in enumerate(axes_mm)]
        points = []
        for row, shift, waves in zip(self.matrix, self.shift_mm, self.waves, strict=True):
            # Each term depends on two axes only, so the volume is touched by two additions.
            planes = []
            for u, plane in enumerate(waves):
                first, second = axes[u], axes[(u + 1) % 3]
                terms = [
                    amp * np.sin(k1 * first + p1) * np.sin(k2 * second + p2)
                    for amp, k1, k2, p1, p2 in plane.astype(np.float32)
                ]
                planes.append(sum(terms) + np.float32(row[u]) * first + np.float32(shift / 3))
            points.append(planes[0] + planes[1] + planes[2])
        return points

    def window(self, axes_mm: list[np.ndarray], box_mm: np.ndarray) -> tuple[slice, ...]:
        """Computes index ranges of the grid that surely cover a box (2, 3) of the body frame."""
        margin = np.abs(self.waves[..., 0]).sum((1, 2))
        low, high = box_mm[0] - margin, box_mm[1] + margin
        corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), -1).reshape(-1, 3)
        scanner = (corners - self.shift_mm) @ np.linalg.inv(self.matrix).T
        ends = zip(axes_mm, scanner.min(0), scanner.max(0), strict=True)
        return tuple(slice(*np.searchsorted(axis, [lo, hi])) for axis, lo, hi in ends)


def widen(low: float, high: float, variation: float, least: float = -np.inf) -> tuple:
    """Returns a range `variation` times as wide about its middle, above `least`.

    A variation of 1 gives exactly the same range, so that its phantoms stay the same.
    """
    if variation == 1:
        return low, high
    middle, half = (low + high) / 2, variation * (high - low) / 2
    return max(middle - half, least), middle + half


def draw_pose(rng: Generator, scale_mm: float, variation: float = 1) -> Pose:
    """Draws a small rotation, size (+-10 %), shift and elastic warp, each times the variation.

    `scale_mm` is the body's half-width.
    """
    angles_deg = variation * rng.normal(0, 2.5, 3).clip(-6, 6)
    rotation = Rotation.from_euler("xyz", angles_deg, degrees=True)
    size = rng.uniform(*widen(0.92, 1.1, variation)) * rng.uniform(*widen(0.96, 1.04, variation), 3)
    waves = np.empty((3, 3, 2, 5))
    for octave, (amplitude, wave) in enumerate([(0.018, 1.4), (0.006, 0.42)]):
        amplitudes = rng.uniform(-amplitude, amplitude, (3, 3)) * scale_mm
        waves[:, :, octave, 0] = variation * amplitudes
        waves[:, :, octave, 1:3] = 2 * np.pi / (rng.uniform(0.8, 1.3, (3, 3, 2)) * wave * scale_mm)
    waves[..., 3:] = rng.uniform(0, 2 * np.pi, (3, 3, 2, 2))
    shift = variation * (rng.uniform(-0.04, 0.04, 3) * scale_mm)
    return Pose(rotation.as_matrix() / size, shift, waves)


def draw_parts(
    rng: Generator, parts: tuple[Part, ...], shift_sd_mm: float, variation: float = 1
) -> list[Part]:
    """Draws the parts, each organ with a size (+-12 %) and a small shift, times the variation."""
    organs, sizes = dict.fromkeys(part.organ for part in parts), widen(0.88, 1.12, variation)
    drawn = {
        organ: (variation * rng.normal(0, shift_sd_mm, 3).clip(-5, 5), rng.uniform(*sizes))
        for organ in organs
    }
    return [part.vary(*drawn[part.organ]) for part in parts]


def draw_torso(rng: Generator, variation: float = 1) -> list[Part]:
    """Draws the parts of a torso: organs, gas that rises in stomach and colon, vessel trees."""
    parts = draw_parts(rng, TORSO, 2.0, variation)
    gas = ((T.STOMACH_CONTENT, T.STOMACH_GAS, 15, 75), (T.COLON_CONTENT, T.COLON_GAS, -30, 60))
    levels = {content: (tissue, rng.uniform(low, high)) for content, tissue, low, high in gas}
    for part in list(parts):
        if part.tissue in levels:
            tissue, level = levels[part.tissue]
            parts.append(replace(part, tissue=tissue, onto=(part.tissue,), above_y_mm=level))
    for tissue, onto, root, direction, length in TORSO_TREES:
        step = np.array(direction) * length / np.linalg.norm(direction)
        for segment in branches(rng, np.array(root, float), step, 5):
            parts.append(Tube("tree", tissue, onto, segment))
    return parts


def torso_background(points: Points, fat_mm: float) -> np.ndarray:
    """Makes tissues (X, Y, Z) uint8 of a torso without its parts: skin to cavity, chest, bowel."""
    x, y, z = points
    square_x, square_y = (x / 150) ** 2, (y / 98) ** 2
    # A superellipse: fuller than an ellipse.
    level = np.sqrt(np.sqrt((square_x + square_y) ** 2 - 0.5 * square_x * square_y))
    depth = (1 - level) * np.sqrt(x * x + y * y) / np.maximum(level, 1e-3)
    wall = 13 + 0.45 * np.maximum(z - 190, 0) + 0.3 * np.maximum(-165 - z, 0)
    tissue = np.where(depth > -fat_mm, T.FAT, T.AIR).astype(np.uint8)
    tissue[depth > 0] = T.MUSCLE
    inner = depth > wall
    tissue[inner] = T.CAVITY
    slope = ((y - 5) / 90) ** 2 * 60
    dome = np.maximum(95 - 80 * ((x - 58) / 85) ** 2, 88 - 80 * ((x + 62) / 85) ** 2) - slope
    chest = inner & (z > dome)
    tissue[chest] = T.LUNG
    tissue[chest & (z < dome + 4)] = T.MUSCLE  # the diaphragm
    mediastinum = ((x + 4) / 34) ** 2 + (y / 84) ** 2 < 1
    tissue[chest & mediastinum & (z > dome + 4)] = T.MEDIASTINUM
    rib = (depth > 2) & (depth < 10) & (np.mod(z + 0.45 * y, 27) < 9) & (z > 0.8 * y - 25)
    tissue[rib] = T.BONE
    return tissue


def paint_bowel(tissue: np.ndarray, points: Points, phase: np.ndarray) -> None:
    """Paints small bowel in the rest of the cavity: a gyroid with wall, content and fat."""
    region = (tissue == T.CAVITY) & (points[1] > -20) & (points[2] > -185)
    x, y, z = (
        2 * np.pi / 50 * p[region] + np.float32(shift)
        for p, shift in zip(points, phase, strict=True)
    )
    x, y, z = x + 0.8 * np.sin(0.7 * y), y + 0.8 * np.sin(0.6 * z), z + 0.8 * np.sin(0.8 * x)
    loops = np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)
    tissue[region] = np.select([loops > 0.45, loops > -0.2], [T.BOWEL_CONTENT, T.BOWEL], T.CAVITY)


def paint_spine(tissue: np.ndarray, points: Points) -> None:
    """Paints vertebrae every 34 mm with discs, canal and processes; the sacrum bends backwards."""
    x, y, z = points
    y = y + 0.25 * np.maximum(-120 - z, 0)
    level = np.mod(z, 34)
    body = (x / 23) ** 2 + ((y + 40) / 18) ** 2
    arch = (x / 19) ** 2 + ((y + 66) / 15) ** 2
    processes = ((np.abs(x) < 4) & (y < -74) & (y > -92) & (level > 10)) | (
        (np.abs(y + 66) < 5) & (np.abs(x) < 38) & (level > 20)
    )
    tissue[processes | (arch < 1) & (level > 8) | (body < 1)] = T.BONE
    tissue[body < 0.8] = T.MARROW
    tissue[(body < 1) & (level < 7)] = T.DISC
    tissue[arch < 0.4] = T.CANAL


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


def paint(tissue: np.ndarray, points: Points, pose: Pose, axes_mm: list, part: Part) -> None:
    """Paints a part into tissue (X, Y, Z), only onto the tissues that the part may replace."""
    replaceable = np.zeros(len(Tissue), bool)
    replaceable[list(part.onto)] = True
    for piece in part.pieces():
        window = pose.window(axes_mm, piece.box())
        local = [p[window] for p in points]
        mask = replaceable[tissue[window]]
        if mask.any():
            mask &= piece.inside(local)
            if np.isfinite(part.above_y_mm):
                mask &= local[1] > part.above_y_mm
            tissue[window][mask] = part.tissue
