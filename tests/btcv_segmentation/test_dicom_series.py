"""DICOM series against the same volume as NIfTI."""

import builtins
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicom_series import body
from helpers import write_nifti
from monai.transforms import LoadImage
from phantom_dicom import write_series

HU = np.maximum(body((30, 28, 12), seed=3), -1024)
SPACING_MM = (2.0, 2.5, 4.0)


@pytest.fixture
def dicom(scripts):
    return scripts.dicom_series


def loaded(dicom, path: Path, **kwargs) -> nib.Nifti1Image:
    """What `LoadImaged` makes of a path in the configs, turned to RAS."""
    image = LoadImage(reader=dicom.ImageReader(**kwargs))(str(path))
    assert image.meta["filename_or_obj"] == str(path)
    image = nib.Nifti1Image(image.numpy(), np.asarray(image.meta["original_affine"]))
    return nib.as_closest_canonical(image)


def test_a_series_is_the_same_volume_as_its_nifti(dicom, tmp_path):
    write_series(tmp_path / "series", HU, SPACING_MM)
    nifti = write_nifti(tmp_path / "ct.nii.gz", HU, SPACING_MM)
    series, file = loaded(dicom, tmp_path / "series"), loaded(dicom, nifti)
    np.testing.assert_array_equal(series.get_fdata(), file.get_fdata())
    np.testing.assert_allclose(series.affine[:3, :3], file.affine[:3, :3])


def test_slices_are_ordered_by_position_and_without_instance_numbers(dicom, tmp_path):
    write_series(tmp_path, HU, SPACING_MM, name=lambda number: f"{number * 7 % 12:04d}.dcm")
    np.testing.assert_array_equal(loaded(dicom, tmp_path).get_fdata(), HU)


def test_series_that_lie_together_are_told_apart(dicom, tmp_path):
    flipped = HU[::-1].copy()
    for uid, hu in (("1.2.3", HU), ("1.2.4", flipped)):
        write_series(tmp_path, hu, SPACING_MM, name=f"{uid}_{{}}".format, SeriesInstanceUID=uid)
    assert dicom.find_series(str(tmp_path)) == [str(tmp_path / "1.2.3"), str(tmp_path / "1.2.4")]
    np.testing.assert_array_equal(loaded(dicom, tmp_path / "1.2.3").get_fdata(), HU)
    np.testing.assert_array_equal(loaded(dicom, tmp_path / "1.2.4").get_fdata(), flipped)
    with pytest.raises(ValueError, match="is not one CT series of DICOM files; it holds 2: "):
        loaded(dicom, tmp_path)


def test_overviews_and_other_modalities_are_left_out(dicom, tmp_path):
    write_series(tmp_path, HU, SPACING_MM, SeriesInstanceUID="1.2.3")
    scout = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write_series(tmp_path, HU[..., :1], name="scout{}".format, ImageType=scout)
    write_series(tmp_path, HU, name="mr{}".format, Modality="MR")
    assert list(dicom.series_in(str(tmp_path))) == [str(tmp_path)]
    write_series(tmp_path / "mr", HU, Modality="MR")
    assert dicom.find_series(str(tmp_path)) == [str(tmp_path)]


def test_a_gap_is_refused_not_closed(dicom, tmp_path, refusal):
    paths = write_series(tmp_path, HU, SPACING_MM)
    paths[5].unlink()
    with refusal("is no usable CT series .missing slices: 1 of 4.00 mm.; mend or remove it"):
        loaded(dicom, tmp_path)


def test_a_slice_cut_short_is_refused(dicom, tmp_path, refusal):
    path = write_series(tmp_path, HU, SPACING_MM)[5]
    path.write_bytes(path.read_bytes()[:-500])
    with refusal("is no usable CT series .damaged slice"):
        loaded(dicom, tmp_path)


def test_a_damaged_file_among_several_series_is_named(dicom, tmp_path, caplog):
    for uid in ("1.2.3", "1.2.4"):
        write_series(tmp_path, HU, SPACING_MM, name=f"{uid}_{{}}".format, SeriesInstanceUID=uid)
    (tmp_path / "cut.dcm").write_bytes(bytes(128) + b"DICM")
    assert len(dicom.series_in(str(tmp_path))) == 2
    assert f"{tmp_path}/cut.dcm (damaged file) is left out" in caplog.text


def test_one_slice_and_other_tasks_are_refused(dicom, tmp_path, refusal):
    path = write_series(tmp_path, HU, SPACING_MM)[0]
    with refusal("0000.dcm is one slice of a DICOM series; give its folder"):
        loaded(dicom, path)
    with refusal("is DICOM, which is read for CT alone; convert it to NIfTI"):
        loaded(dicom, tmp_path, modality="MRI", channels=1)


def test_what_does_not_exist_is_refused(dicom, tmp_path, refusal):
    with refusal("none/ct.nii.gz does not exist"):
        loaded(dicom, tmp_path / "none/ct.nii.gz")
    with refusal("ct.nii.gz does not exist"):
        loaded(dicom, tmp_path / "ct.nii.gz")


@pytest.mark.parametrize("package", ["pydicom", "gdcm"])
def test_without_its_packages_the_remedy_is_named(dicom, tmp_path, refusal, monkeypatch, package):
    write_series(tmp_path, HU[..., :4], SPACING_MM)
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name.split(".")[0] == package:
            raise ModuleNotFoundError(f"No module named '{package}'", name=package)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with refusal(f"{package} is not installed, and DICOM files need it: `pip install pydicom"):
        dicom.find_series(str(tmp_path))
