"""MetaImage and NRRD against the same volume as NIfTI, written by ITK itself."""

import shutil
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from helpers import write_nifti
from monai.transforms import LoadImage

from common.data import open_image
from common.data.image_reader import ImageReader
from common.data.nifti import VolumeWriter
from common.data.nifti_header import check_header

HU = np.random.default_rng(0).integers(-1000, 1000, (7, 6, 5)).astype(np.int16)
TURN = nib.eulerangles.euler2mat(0.1, 0.2, 0.3) @ np.diag([-2.0, 3.0, 4.0])
AFFINE = nib.affines.from_matvec(TURN, [5, -6, 70])
ENDINGS = [".mha", ".mhd", ".nrrd", ".nhdr"]


def written(folder: Path, ending: str, compress: bool = True) -> Path:
    """The volume as a file of another format; ITK converts RAS to its own LPS."""
    image = SimpleITK.ReadImage(write_nifti(folder / "source.nii", HU, affine=AFFINE))
    path = folder / f"ct{ending}"
    SimpleITK.WriteImage(image, str(path), compress)
    return path


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("ending", ENDINGS)
def test_voxels_and_affine_are_those_of_the_nifti(tmp_path, ending, compress):
    path = written(tmp_path, ending, compress)
    assert check_header(str(path)) == str(path)
    image = LoadImage(reader=ImageReader())(str(path))
    np.testing.assert_array_equal(image.numpy(), HU)
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)
    assert image.meta["filename_or_obj"] == str(path)
    opened = open_image.open_image(path)
    assert opened.get_data_dtype() == np.int16 and opened.header["sform_code"] == 1
    np.testing.assert_allclose(opened.header.get_zooms(), (2, 3, 4), atol=1e-5)
    upright = nib.as_closest_canonical(opened)
    assert nib.aff2axcodes(upright.affine) == ("R", "A", "S")


def test_channels_are_the_last_axis(tmp_path):
    values = np.random.default_rng(1).random((5, 6, 7, 2)).astype(np.float32)
    path = str(tmp_path / "mr.mha")
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values, isVector=True), path)
    assert check_header(path, channels=2)
    image = open_image.open_image(path)
    np.testing.assert_array_equal(image.dataobj, values.transpose(2, 1, 0, 3))


def test_without_a_direction_the_header_says_that_there_is_no_orientation(tmp_path):
    text = (
        "ObjectType = Image\nNDims = 3\nAnatomicalOrientation = RAI\nElementSpacing = 1 2 3\n"
        "DimSize = 7 6 5\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    (tmp_path / "ct.mha").write_bytes(text.encode() + HU.tobytes(order="F"))
    image = open_image.open_image(tmp_path / "ct.mha")
    assert image.header["sform_code"] == image.header["qform_code"] == 0
    np.testing.assert_array_equal(image.dataobj, HU)


@pytest.mark.parametrize("ending", ENDINGS)
def test_damaged_files_are_refused_by_name(tmp_path, refusal, ending):
    path = written(tmp_path, ending, compress=False)
    voxels = path.with_suffix(".raw") if ending in (".mhd", ".nhdr") else path
    voxels.write_bytes(voxels.read_bytes()[:-50])
    with refusal(f"ct{ending} is cut short or damaged"):
        ImageReader().get_data((str(path),))
    if voxels != path:
        voxels.unlink()
        with refusal(f"ct{ending} (is cut short or damaged|cannot be read as an image)"):
            ImageReader().get_data((str(path),))
    path.write_text("no image")
    with refusal(f"ct{ending} cannot be read as an image"):
        ImageReader().get_data((str(path),))
    path.unlink()
    with refusal(f"ct{ending} does not exist"):
        ImageReader().get_data((str(path),))


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("ending", ENDINGS)
def test_damage_of_compressed_voxels_is_named(tmp_path, refusal, ending, cut):
    """SimpleITK alone returns wrong voxels of a MetaImage, and at times of NRRD."""
    path = written(tmp_path, ending)
    voxels = next(tmp_path.glob("*.zraw"), None) or next(tmp_path.glob("*.raw.gz"), path)
    assert (voxels != path) == (ending in (".mhd", ".nhdr"))
    content = bytearray(voxels.read_bytes())
    content[-20] ^= 16
    voxels.write_bytes(content[:-5] if cut else content)
    with refusal(f"ct{ending} is cut short or damaged"):
        ImageReader().get_data((str(path),))


def test_a_name_that_is_not_utf8_is_refused_in_a_sentence(tmp_path, refusal):
    path = written(tmp_path, ".mha")
    name = str(path).replace("ct", "\udcff")
    shutil.move(path, name)
    with refusal("udcff.mha has a name that is not UTF-8; rename the file"):
        ImageReader().get_data((name,))


def test_without_its_package_the_remedy_is_named(tmp_path, refusal, monkeypatch):
    path = written(tmp_path, ".mha")
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with refusal("ct.mha needs SimpleITK, which is not installed: `pip install SimpleITK`"):
        ImageReader().get_data((str(path),))


@pytest.mark.parametrize("name", ["A.NII", "A.NII.GZ", "a.Nii", "a.nIi.Gz", "a.MHA", "a.NRRD"])
def test_the_case_of_an_ending_does_not_count(tmp_path, name):
    if name.lower().endswith(("mha", "nrrd")):
        path = written(tmp_path, f".{name.split('.')[1].lower()}")
    else:
        path = write_nifti(tmp_path / f"x{name[1:].lower()}", HU, affine=AFFINE)
    shutil.move(path, tmp_path / name)
    image = LoadImage(reader=ImageReader())(str(tmp_path / name))
    np.testing.assert_array_equal(image.numpy(), HU)
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)


def test_a_nifti_2_of_any_case_is_read(tmp_path):
    nib.save(nib.Nifti2Image(HU, AFFINE), tmp_path / "x.nii")
    shutil.move(tmp_path / "x.nii", tmp_path / "x.Nii")
    np.testing.assert_array_equal(open_image.open_image(tmp_path / "x.Nii").dataobj, HU)


def test_our_own_outputs_are_known_by_their_header(tmp_path):
    writer = VolumeWriter(output_dtype=np.uint8)
    writer.set_data_array(np.zeros((4, 5, 6)), channel_dim=None)
    writer.set_metadata({"affine": AFFINE})
    writer.write(tmp_path / "a_seg.nii.gz")
    write_nifti(tmp_path / "b_seg.nii.gz", HU)
    (tmp_path / "c_seg.nii.gz").touch()
    ours = [open_image.is_made_by_us(tmp_path / f"{name}_seg.nii.gz") for name in "abc"]
    assert ours == [True, False, False]


def test_analyze_is_refused_where_it_is_named_and_a_nifti_pair_is_read(tmp_path, refusal):
    nib.save(nib.AnalyzeImage(HU, np.eye(4)), tmp_path / "analyze.hdr")
    nib.save(nib.Nifti1Pair(HU, AFFINE), tmp_path / "pair.hdr")
    for ending in ("hdr", "img"):
        with refusal(f"analyze.{ending} is no image that is read: Analyze .* no orientation: conv"):
            check_header(str(tmp_path / f"analyze.{ending}"))
        image = open_image.open_image(tmp_path / f"pair.{ending}")
        np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)
        np.testing.assert_array_equal(image.dataobj, HU)
