"""Draws how a patient lies in the scanner: a smooth map from the scanner's frame to the body's."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

Points = list[np.ndarray]  # body coordinates x, y, z in mm, each (X, Y, Z) float32


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
