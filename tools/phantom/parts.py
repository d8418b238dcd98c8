"""Describes parts of a body, tubes and ellipsoids, how they differ, and paints them.

The body frame is RAS in mm: +x to the patient's right, +y anterior, +z superior. Parts are painted
in order, each only onto the tissues that it may replace; so organs never overlap.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from .pose import Points, Pose, widen
from .tissue import CAVITY, Tissue


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
