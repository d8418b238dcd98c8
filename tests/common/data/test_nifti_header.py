"""Which NIfTI headers are refused and how, and what is said of those that are used."""

import gzip

import nibabel as nib
import numpy as np
import pytest
from helpers import write_nifti

from common.data import nifti_header

CT = np.linspace(-1000, 500, 4 * 5 * 6).reshape(4, 5, 6).astype(np.float32)


@pytest.mark.parametrize("shape, channels", [((4, 5, 6), 1), ((4, 5, 6, 1), 1), ((4, 5, 6, 4), 4)])
def test_usable_shapes_are_accepted(tmp_path, shape, channels):
    path = write_nifti(tmp_path / "a.nii.gz", np.zeros(shape, np.int16))
    assert nifti_header.check_header(path, channels) == path


@pytest.mark.parametrize(
    "shape, channels",
    [((4, 5), 1), ((4, 5, 6, 2), 1), ((4, 5, 6), 4), ((4, 5, 6, 2), 4), ((4, 5, 6, 1, 3), 1)],
)
def test_other_shapes_are_refused_with_the_expected_one(refusal, tmp_path, shape, channels):
    path = write_nifti(tmp_path / "a.nii.gz", np.zeros(shape, np.int16))
    expected = "a 3D volume" if channels == 1 else "4D with 4 channels"
    with refusal(rf"a\.nii\.gz has shape .*expected {expected}"):
        nifti_header.check_header(path, channels)


@pytest.mark.parametrize(("shape", "count"), [((4, 5, 6), 1), ((4, 5, 6, 3), 3)])
def test_channels_that_an_image_needs_are_named(refusal, tmp_path, shape, count):
    path = write_nifti(tmp_path / "a.nii.gz", np.zeros(shape, np.int16))
    needed = "and 2 are needed along its fourth axis: T2, ADC; add or remove"
    with refusal(rf"a\.nii\.gz has {count} channels? \(shape .*\), {needed}"):
        nifti_header.open_nifti(path, 2, ("T2", "ADC"))


@pytest.mark.parametrize("affine", [np.diag([1.0, 0, 1, 1]), np.diag([1.0, np.nan, 1, 1])])
def test_unusable_affine_is_refused(refusal, tmp_path, affine):
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4))
    image.header.set_sform(affine, code=1)
    image.header.set_qform(np.eye(4), code=0)
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(image.header.binaryblock + bytes(4 + 2 * 4 * 5 * 6)))
    with refusal(r"a\.nii\.gz has a singular affine"):
        nifti_header.check_header(str(path))


def test_thin_slices_are_no_singular_affine(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", CT, spacing_mm=(0.1, 0.1, 0.1))
    assert nifti_header.check_header(path) == path


@pytest.mark.parametrize(
    "content",
    [b"", b"this is text", gzip.compress(b"this is text")],
    ids=["empty", "text", "gzipped text"],  # a gzip holds the time: no name for parallel workers
)
def test_file_that_is_no_image_is_refused(refusal, tmp_path, content):
    (tmp_path / "a.nii.gz").write_bytes(content)
    with refusal(r"a\.nii\.gz cannot be read as an image"):
        nifti_header.check_header(str(tmp_path / "a.nii.gz"))


def test_missing_image_is_refused(refusal, tmp_path):
    with refusal(r"a\.nii\.gz does not exist"):
        nifti_header.check_header(str(tmp_path / "a.nii.gz"))


def write_with(path, fields: dict, dtype=np.int16, shape=(4, 5, 6), affine=None) -> str:
    """Writes a file whose header has these values, byte by byte: nibabel would mend some."""
    header = nib.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_sform(np.diag([2.0, 3.0, 4.0, 1.0]) if affine is None else affine, code=1)
    header.set_qform(np.diag([2.0, 3.0, 4.0, 1.0]), code=1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    for name, value in fields.items():
        header[name] = value
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    path.write_bytes(header.binaryblock + bytes(4 + size))
    return str(path)


NO_CODES = {"qform_code": 0, "sform_code": 0}
SIZE = {"pixdim": [1, 2, 3, 4, 0, 0, 0, 0]}


@pytest.mark.parametrize(
    "fields, words",
    [
        ({**NO_CODES, "pixdim": [1, 2, 0, 4, 1, 1, 1, 1]}, "does not say how large voxels are"),
        ({"sform_code": 0, "pixdim": [1, 0, 0, 0, 0, 0, 0, 0]}, "does not say how large voxels"),
        ({"sform_code": 77}, "has an unknown sform_code 77"),
        ({"qform_code": -3}, "has an unknown qform_code -3"),
        ({"srow_x": [np.inf, 0, 0, 0]}, "has a singular affine"),
        ({"srow_x": [2, 3, 0, 0], "srow_y": [2, 3.0001, 0, 0]}, "has a singular affine"),
        ({"srow_x": [1e30, 0, 0, 0]}, r".*voxels of 1e\+30 x 3 x 4 mm, more than 3000 mm across"),
        ({"srow_x": [2, 0, 0, 1e30]}, r"has its origin at 1e\+30, 0, 0 mm"),
        ({"srow_x": [0.002, 0, 0, 0]}, "has voxels of 0.002 x 3 x 4 mm .or is its unit not mm"),
        ({"sform_code": 0, "quatern_b": 3.0}, "cannot be read as an image"),
        ({"scl_slope": np.inf}, "has scl_slope inf"),
        ({"scl_slope": 1, "scl_inter": np.nan}, "cannot be read as an image .*intercept nan"),
        ({"datatype": 1, "bitpix": 1}, "cannot be read as an image .data code 1 not supported"),
        ({"datatype": 9999}, "cannot be read as an image .data code 9999 not recognized"),
        ({"dim": [3, 4, 0, 6, 1, 1, 1, 1]}, r"has shape \(4, 0, 6\)"),
        ({"dim": [3, 4, -5, 6, 1, 1, 1, 1]}, "has shape|cannot be read"),
        ({"dim": [9, 4, 5, 6, 1, 1, 1, 1]}, "cannot be read as an image"),
        ({"dim": [1, 120, 1, 1, 1, 1, 1, 1]}, r"has shape \(120,\), expected a 3D volume"),
        ({"magic": b"abc"}, "cannot be read as an image"),
    ],
)
def test_header_that_does_not_say_enough_is_refused(refusal, tmp_path, fields, words):
    path = write_with(tmp_path / "a.nii", fields)
    with refusal(rf"a\.nii {words}"):
        nifti_header.open_nifti(path)


@pytest.mark.parametrize(
    "dtype, words",
    [
        ([("R", "u1"), ("G", "u1"), ("B", "u1")], r"holds colours \(RGB\)"),
        ([("R", "u1"), ("G", "u1"), ("B", "u1"), ("A", "u1")], r"holds colours \(RGBA\)"),
        (np.complex64, "holds complex numbers"),
        (np.complex128, "holds complex numbers"),
    ],
)
def test_voxels_that_are_no_numbers_are_refused(refusal, tmp_path, dtype, words):
    path = write_with(tmp_path / "a.nii", {}, np.dtype(dtype))
    with refusal(rf"a\.nii {words}, expected one real number"):
        nifti_header.open_nifti(path)


@pytest.mark.parametrize(
    "fields, note",
    [
        ({}, None),
        ({"scl_slope": np.nan, "scl_inter": np.nan}, None),
        ({**NO_CODES, **SIZE}, "no orientation in its header: .*labels may lie mirrored"),
        ({"sform_code": 0, "pixdim": [1, -2, 3, 4, 0, 0, 0, 0]}, "negative pixdim is taken as pos"),
        ({"srow_x": [-2, 0, 0, 0]}, "sform and qform differ, and sform counts: by up to 12 mm"),
        ({"quatern_b": 3.0}, "qform is no rotation, and sform counts"),
        ({"scl_slope": 0, "scl_inter": -1024}, "scl_inter does not count: -1024"),
        ({"xyzt_units": 5}, "unknown unit of length, mm are assumed: code 5"),
    ],
)
def test_what_is_guessed_is_said_in_one_line(tmp_path, fields, note):
    path = write_with(tmp_path / "a.nii", fields)
    notes = nifti_header.open_nifti(path).notes
    assert len(notes) == (note is not None)
    if note:
        with pytest.warns(UserWarning, match=f"^{path}: .*{note}"):
            nifti_header.check_header(path)


@pytest.mark.parametrize("unit, mm, name", [(1, 1000, "metres"), (3, 0.001, "microns")])
def test_other_units_are_converted_to_mm(tmp_path, unit, mm, name):
    affine = np.diag([2.0 / mm, 3.0 / mm, 4.0 / mm, 1.0])
    fields = {"xyzt_units": unit, "qform_code": 0}
    path = write_with(tmp_path / "a.nii", fields, affine=affine)
    volume = nifti_header.open_nifti(path)
    np.testing.assert_allclose(volume.affine, np.diag([2.0, 3.0, 4.0, 1.0]), rtol=1e-6)
    assert volume.notes == [f"its header is in {name}, converted to mm"]


def test_file_that_is_no_nifti_is_refused(refusal, tmp_path):
    nib.save(nib.MGHImage(CT, np.eye(4)), tmp_path / "a.mgz")
    with refusal(r"a\.mgz is no image that is read: FreeSurfer image: convert it by mri_convert"):
        nifti_header.open_nifti(str(tmp_path / "a.mgz"))
    (tmp_path / "a.nii.gz").write_bytes(b"%PDF-1.7\n" + bytes(1000))
    with refusal(r"a\.nii\.gz cannot be read as an image"):
        nifti_header.open_nifti(str(tmp_path / "a.nii.gz"))
