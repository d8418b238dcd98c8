"""Draws the parts of a torso, and paints what lies around and between them."""

from dataclasses import replace

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from .parts import Part, Tube, draw_parts
from .pose import Points
from .tissue import T
from .torso_parts import TORSO, TORSO_TREES


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
