"""DICOM series against the same volume as NIfTI, and what a server hands over beside an image."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest
import torch
from dicom_series import body
from helpers import BUNDLES, config_files, write_nifti
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import LoadImage, Spacingd

from common import data
from common.data import image_reader
from common.data.dicom import folder_series, series_names
from tools.phantom.dicom import write_series

HU = np.maximum(body((30, 28, 12), seed=3), -1024)
SPACING_MM = (2.0, 2.5, 4.0)


def loaded(path: Path, **kwargs) -> nib.Nifti1Image:
    """What `LoadImaged` makes of a path in the configs, turned to RAS."""
    image = LoadImage(reader=image_reader.ImageReader(**kwargs))(str(path))
    assert image.meta["filename_or_obj"] == str(path)
    image = nib.Nifti1Image(image.numpy(), np.asarray(image.meta["original_affine"]))
    return nib.as_closest_canonical(image)


def test_a_series_is_the_same_volume_as_its_nifti(tmp_path):
    write_series(tmp_path / "series", HU, SPACING_MM)
    nifti = write_nifti(tmp_path / "ct.nii.gz", HU, SPACING_MM)
    series, file = loaded(tmp_path / "series"), loaded(nifti)
    np.testing.assert_array_equal(series.get_fdata(), file.get_fdata())
    np.testing.assert_allclose(series.affine[:3, :3], file.affine[:3, :3])


def test_slices_are_ordered_by_position_and_without_instance_numbers(tmp_path):
    write_series(tmp_path, HU, SPACING_MM, name=lambda number: f"{number * 7 % 12:04d}.dcm")
    np.testing.assert_array_equal(loaded(tmp_path).get_fdata(), HU)


def test_series_that_lie_together_are_told_apart(tmp_path):
    flipped = HU[::-1].copy()
    for uid, hu in (("1.2.3", HU), ("1.2.4", flipped)):
        write_series(tmp_path, hu, SPACING_MM, name=f"{uid}_{{}}".format, SeriesInstanceUID=uid)
    assert series_names.find_series(str(tmp_path)) == [
        str(tmp_path / "1.2.3"),
        str(tmp_path / "1.2.4"),
    ]
    np.testing.assert_array_equal(loaded(tmp_path / "1.2.3").get_fdata(), HU)
    np.testing.assert_array_equal(loaded(tmp_path / "1.2.4").get_fdata(), flipped)
    with pytest.raises(ValueError, match="is not one CT series of DICOM files; it holds 2: "):
        loaded(tmp_path)


def test_overviews_and_other_modalities_are_left_out(tmp_path):
    write_series(tmp_path, HU, SPACING_MM, SeriesInstanceUID="1.2.3")
    scout = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write_series(tmp_path, HU[..., :1], name="scout{}".format, ImageType=scout)
    write_series(tmp_path, HU, name="mr{}".format, Modality="MR")
    assert list(folder_series.series_in(str(tmp_path))) == [str(tmp_path)]
    write_series(tmp_path / "mr", HU, Modality="MR")
    assert series_names.find_series(str(tmp_path)) == [str(tmp_path)]


def test_a_gap_is_refused_not_closed(tmp_path, refusal):
    paths = write_series(tmp_path, HU, SPACING_MM)
    paths[5].unlink()
    with refusal("is no usable CT series .missing slices: 1 of 4.00 mm.; mend or remove it"):
        loaded(tmp_path)


def test_a_slice_cut_short_is_refused(tmp_path, refusal):
    path = write_series(tmp_path, HU, SPACING_MM)[5]
    path.write_bytes(path.read_bytes()[:-500])
    with refusal("is no usable CT series .damaged slice"):
        loaded(tmp_path)


def test_a_damaged_file_among_several_series_is_named(tmp_path, caplog):
    for uid in ("1.2.3", "1.2.4"):
        write_series(tmp_path, HU, SPACING_MM, name=f"{uid}_{{}}".format, SeriesInstanceUID=uid)
    (tmp_path / "cut.dcm").write_bytes(bytes(128) + b"DICM")
    assert len(folder_series.series_in(str(tmp_path))) == 2
    assert f"{tmp_path}/cut.dcm (damaged file) is left out" in caplog.text


def test_one_slice_and_other_tasks_are_refused(tmp_path, refusal):
    path = write_series(tmp_path, HU, SPACING_MM)[0]
    with refusal("0000.dcm is one slice of a DICOM series; give its folder"):
        loaded(path)
    with refusal("is DICOM, which is read for CT alone; convert it to NIfTI"):
        loaded(tmp_path, modality="MRI", channels=1)


def test_what_does_not_exist_is_refused(tmp_path, refusal):
    with refusal("none/ct.nii.gz does not exist"):
        loaded(tmp_path / "none/ct.nii.gz")
    with refusal("ct.nii.gz does not exist"):
        loaded(tmp_path / "ct.nii.gz")


@pytest.mark.parametrize("package", ["pydicom", "gdcm"])
def test_without_its_packages_nifti_is_read_and_the_remedy_is_named(
    tmp_path, refusal, monkeypatch, package
):
    write_series(tmp_path / "series", HU[..., :4], SPACING_MM)
    nifti = write_nifti(tmp_path / "ct.nii.gz", HU, SPACING_MM)
    reader = imported_without(package, monkeypatch)
    image = LoadImage(reader=reader.ImageReader())(nifti)
    np.testing.assert_array_equal(image.numpy(), HU)
    remedy = f"{package} is not installed, and DICOM files need it: `pip install pydicom"
    with refusal(remedy):
        sys.modules["common.data.dicom.series_names"].find_series(str(tmp_path))
    with refusal(remedy):
        reader.ImageReader().get_data((str(tmp_path / "series"),))


def imported_without(package: str, monkeypatch) -> ModuleType:
    """A fresh copy of the module, imported as where a package is not installed."""
    for name in [name for name in sys.modules if name.startswith("common.data.dicom")]:
        monkeypatch.delitem(sys.modules, name)  # what is there already would import nothing
    monkeypatch.delattr(data, "dicom")
    monkeypatch.setitem(sys.modules, package, None)
    spec = importlib.util.find_spec("common.data.image_reader")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("bundle", ["btcv_segmentation", "msd_tasks"])
def test_a_servers_own_items_come_through_the_preprocessing(
    load_scripts, bundle, tmp_path, monkeypatch
):
    """As MONAI Label calls it: `device` is a text, the item has a path beside the image."""
    load_scripts(bundle)
    hu = np.random.default_rng(0).integers(-900, 300, (12, 10, 8)).astype(np.int16)
    path = write_nifti(tmp_path / "ct.nii.gz", hu, spacing_mm=(3, 3, 4))
    monkeypatch.chdir(BUNDLES / bundle)
    parser = ConfigParser()
    parser.read_config(config_files(bundle, "inference"))
    parser["device"] = "cpu"
    others = {"image_path": path, "model": bundle, "device": "cpu"}
    made = parser.get_parsed_content("preprocessing")({"image": path, **others})
    image = made.pop("image")
    assert made == others
    assert image.shape[1] > hu.shape[0] and image.meta["filename_or_obj"] == path


def test_spacingd_resamples_as_monais():
    volumes = {key: MetaTensor(torch.rand(1, 9, 8, 7)) for key in ("image", "label")}
    arguments = {"keys": list(volumes), "pixdim": (0.7, 0.8, 0.9), "mode": ["bilinear", "nearest"]}
    ours, monais = image_reader.Spacingd(**arguments), Spacingd(**arguments)
    for key in volumes:
        expected = monais(dict(volumes))[key]
        made = ours({**volumes, "image_path": "ct.nii.gz"})[key]
        assert torch.equal(made, expected) and torch.equal(made.affine, expected.affine)
    assert torch.equal(*(step.inverse(step(volumes))["image"] for step in (ours, monais)))
