"""Draws NIfTI files for tests by hypothesis: odd headers, types, scalings and affines.

Each file shows a bright block in air. Bytes are written field by field: nibabel would mend some.
"""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from hypothesis import strategies as st
from nibabel.eulerangles import euler2mat
from nibabel.quaternions import mat2quat

AIR_HU, BLOCK_HU = -1000.0, 300.0
COLOURS = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
TYPES = ["i2", "i2", "u1", "i1", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "c8", COLOURS]
SLOPES = [1.0, 1.0, 0.0, float("nan"), 2.0, -1.0, 0.5, 1e30, float("inf")]
INTERCEPTS = [0.0, -1024.0, 1e5, float("nan")]
ODD_SHAPES = [(8,), (8, 8), (8, 0, 8), (8, 8, 8, 1), (8, 8, 8, 2), (8, 8, 8, 1, 3)]
HARMS = [None, None, None, "zero column", "nan", "huge spacing", "huge origin", "parallel axes"]
UNITS_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}


@dataclass
class Drawn:
    """Holds a drawn file.

    Args:
        content: of the file, uncompressed.
        hu: (X, Y, Z), float64, as NIfTI's scaling gives them; None where voxels are no numbers.
        block: the bright block's slices.
        is_sound: nothing about the file is a reason to refuse it.
        has_forms: a form code is set.
        unit: code of the unit of length.
    """

    content: bytes
    hu: np.ndarray | None
    block: tuple[slice, ...]
    is_sound: bool
    has_forms: bool
    unit: int


@st.composite
def drawn_files(draw) -> Drawn:
    """Draws a file; about half of them are sound."""
    is_odd = draw(st.booleans())
    shape = tuple(draw(st.sampled_from([1, 6, 7, 9, 12])) for _ in range(3))
    dims = draw(st.sampled_from([shape, shape, *ODD_SHAPES])) if is_odd else shape
    shape = (*dims, 1, 1)[:3] if len(dims) < 3 else dims[:3]
    block = tuple(slice(size // 3, size // 3 + 3 if size > 1 else 1) for size in shape)
    header = nib.Nifti1Header(endianness=draw(st.sampled_from("<>")))
    dtype = np.dtype(draw(st.sampled_from(TYPES if is_odd else ["i2", "i4", "f4", "f8"])))
    header.set_data_dtype(dtype)
    header["dim"] = [len(dims), *dims, *[1] * (7 - len(dims))]
    header["vox_offset"], header["magic"] = 352, b"n+1"
    header["scl_slope"] = slope = draw(st.sampled_from(SLOPES if is_odd else SLOPES[:3]))
    header["scl_inter"] = inter = draw(st.sampled_from(INTERCEPTS if is_odd else INTERCEPTS[:2]))
    harm = draw_geometry(draw, header, is_odd)
    stored = draw_voxels(draw, shape, block, dtype, slope, inter)
    data = np.zeros(dims, dtype) if stored is None else np.resize(stored.T.ravel(), dims)
    data = data.astype(dtype.newbyteorder(header.endianness))
    content = header.binaryblock + bytes(4) + data.tobytes(order="C")
    hu = None if stored is None else scaled(stored, slope, inter)
    codes = int(header["sform_code"]), int(header["qform_code"])
    is_sound = not is_odd and harm is None and np.isfinite(hu).any()
    return Drawn(content, hu, block, is_sound, any(codes), int(header["xyzt_units"]) & 7)


def draw_geometry(draw, header: nib.Nifti1Header, is_odd: bool) -> str | None:
    """Sets forms, codes, voxel sizes and units; returns the harm that was done."""
    harm = draw(st.sampled_from(HARMS)) if is_odd else None
    angles = [draw(st.floats(-3, 3)) for _ in range(3)]
    spacing = np.array([draw(st.floats(4, 8)) for _ in range(3)])
    axes = euler2mat(*angles)[:, draw(st.permutations(range(3)))]
    axes = axes * [draw(st.sampled_from([1, -1])) for _ in range(3)]
    matrix = axes @ np.diag(spacing)
    matrix[:, 2] += matrix[:, 1] * draw(st.sampled_from([0, 0, 0.2]))
    origin = [draw(st.floats(-500, 500)) for _ in range(3)]
    unit = draw(st.sampled_from([2, 0, 1, 3, 5] if is_odd else [2, 2, 0, 1]))
    header["xyzt_units"] = unit + draw(st.sampled_from([0, 8]))
    if draw(st.booleans()) or not is_odd:
        mm = UNITS_MM.get(unit, 1)
        matrix, spacing, origin = matrix / mm, spacing / mm, np.array(origin) / mm
    if harm == "zero column":
        matrix[:, 1] = 0
        spacing[1] = 0
    elif harm == "nan":
        matrix[0, 0] = spacing[0] = np.nan
    elif harm == "huge spacing":
        matrix *= 1e30
        spacing *= 1e30
    elif harm == "huge origin":
        origin[0] = 1e20
    elif harm == "parallel axes":
        matrix[:, 1] = matrix[:, 0]
    is_left = np.linalg.det(axes) < 0
    header["pixdim"][:4] = [-1 if is_left else 1, *spacing]
    turn = axes * [1, 1, -1] if is_left else axes
    header["quatern_b"], header["quatern_c"], header["quatern_d"] = mat2quat(turn)[1:]
    header["qoffset_x"], header["qoffset_y"], header["qoffset_z"] = origin
    for row, name in enumerate(("srow_x", "srow_y", "srow_z")):
        header[name] = [*matrix[row], origin[row]]
    header["sform_code"] = draw(st.sampled_from([1, 0, 2, 4, 77] if is_odd else [1, 0, 2]))
    header["qform_code"] = draw(st.sampled_from([1, 0, 3, -2] if is_odd else [1, 0, 3]))
    if is_odd and draw(st.booleans()):
        header["quatern_b"] = 1.5
    return harm


def draw_voxels(draw, shape, block, dtype, slope: float, inter: float) -> np.ndarray | None:
    """Draws stored values (X, Y, Z), of which scaling makes about -1000 and 300 where it can."""
    if dtype.kind not in "iuf" or 0 in shape:
        return None
    is_scaled = slope != 0 and np.isfinite([slope, inter]).all()
    air, bright = ((hu - inter) / slope if is_scaled else hu for hu in (AIR_HU, BLOCK_HU))
    if dtype.kind != "f":
        limits = np.iinfo(dtype)
        air, bright = (int(np.clip(v, limits.min // 2, limits.max // 2)) for v in (air, bright))
    stored = np.full(shape, air, dtype)
    stored[block] = bright
    if dtype.kind == "f" and draw(st.integers(0, 4)) == 0:
        stored[-1, 0, 0] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    return stored


def scaled(stored: np.ndarray, slope: float, inter: float) -> np.ndarray:
    """Applies NIfTI's scaling: none for a slope of 0 or NaN."""
    hu = stored.astype(np.float64)
    return hu if slope == 0 or np.isnan(slope) else hu * np.float32(slope) + np.float32(inter)
