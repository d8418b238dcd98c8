"""Prepares one volume of a corpus: quality checks, grid and tables, by hand-computed cases."""

import json
import os

import numpy as np
import pytest
from dicom_series import body, written
from helpers import config_files, write_in_two_files, write_nifti
from monai.bundle import ConfigParser

# ---- a tilted gantry ----


def test_tilted_gantry_gives_the_upright_anatomy(corpus_module, dicom_module, tmp_path):
    """A straight rod along z, scanned with slices that lean by 15 degrees, is straight again."""
    angle, shape = np.radians(15), (40, 60, 40)
    x, y, z = np.meshgrid(*map(np.arange, shape), indexing="ij")
    along = y * 3 * np.cos(angle)  # where a row lies in the patient, mm; z only shifts the slice
    rod = (np.abs(x * 3 - 60) < 12) & (np.abs(along - 80) < 12)
    hu = np.where(rod, 800, np.where(np.abs(x - 20) < 18, 40, -1000))
    hu = hu + np.random.default_rng(0).integers(-20, 20, shape)
    # written as RAS, whose y runs against the rows
    hu = hu[::-1, ::-1].astype(np.int16)
    slices = written(dicom_module("headers"), tmp_path, hu, tilt_degrees=15)
    resample = corpus_module("resample")
    volume = resample.convert_to_int16(dicom_module("read").read_series(slices, 2))
    volume = resample.resample_to_grid(volume, 1.5, -500)
    assert volume.repairs == ["gantry tilt: 15.0 degrees"]
    np.testing.assert_allclose(volume.spacing_mm, 1.5)
    middle = []
    for k in range(40, volume.values.shape[2] - 40):
        places = np.argwhere(volume.values[:, :, k] > 500)
        middle.append(places.mean(axis=0))
    assert np.ptp(middle, axis=0).max() < 0.5  # voxels over the whole length


# ---- which volumes are CTs in HU ----


@pytest.fixture
def check(corpus_module, dicom_module):
    """`check(hu)` raises a RejectedError unless these values are a CT's."""
    quality_checks = corpus_module("quality_checks")

    def check_volume(hu: np.ndarray) -> None:
        volume = dicom_module("volume").Volume(hu, np.diag([3.0, 3.0, 3.0, 1.0]))
        quality_checks.check_size(volume)
        quality_checks.check_hu(volume, -500)

    return check_volume


def test_cts_pass(check):
    hu = body(seed=3)
    check(hu)
    check(hu.astype(np.float32) + 0.25)
    check(np.clip(hu, -1000, 1000))
    padded = hu.copy()
    padded[:4] = -3024
    check(padded)


def test_every_scale_but_hu_is_not(check, dicom_module):
    hu = body(seed=4)
    scales = {
        "without intercept": hu + 1024,
        "intercept twice": hu - 1024,
        "slope doubled": (hu + 1024) * 2 - 1024,
        "slope halved": (hu + 1024) // 2 - 1024,
        "windowed": np.clip(hu, -160, 240),
        "8 bit": np.clip((hu + 1024) / 8, 0, 255).astype(np.uint8),
        "linear attenuation": ((hu / 1000 + 1) * 0.19).astype(np.float32),
        "upside down": -hu,
    }
    for name, values in scales.items():
        with pytest.raises(dicom_module("volume").RejectedError):
            check(values)
            pytest.fail(name)


# ---- the grid ----


def test_prepared_volume_is_what_trainings_own_transforms_give(corpus_module, tmp_path):
    """A CT in LPS at another spacing, as training takes it whole, and as it is prepared."""
    hu = body((50, 46, 30), seed=5)
    affine = np.array([[-3.0, 0, 0, 90], [0, -3.0, 0, 40], [0, 0, 2.5, -7], [0, 0, 0, 1]])
    path = write_nifti(tmp_path / "ct.nii.gz", hu, affine=affine)
    parser = ConfigParser(ConfigParser.load_config_files(config_files("pretrain_ssl", "train")))
    opened = parser.get_parsed_content("deterministic_transforms")[0]({"image": path})["image"]
    expected = opened.numpy()[0]
    resample = corpus_module("resample")
    volume = resample.convert_to_int16(
        corpus_module("read_nifti").read_nifti(tmp_path / "ct.nii.gz")
    )
    volume = resample.resample_to_grid(volume, 1.5, -500)
    assert volume.values.shape == expected.shape
    np.testing.assert_allclose(volume.affine, opened.affine, atol=1e-4)
    np.testing.assert_allclose(volume.values, np.maximum(expected, -1024), atol=0.51)


def test_volume_on_the_grid_already_keeps_its_voxels(corpus_module, dicom_module, tmp_path):
    hu = np.maximum(body((60, 50, 40), seed=6), -1024)
    volume = dicom_module("volume").Volume(hu, np.diag([1.5, 1.5, 1.5, 1]))
    out = corpus_module("resample").resample_to_grid(volume, 1.5, -500)
    first = np.rint(out.affine[:3, 3] / 1.5).astype(int)
    box = tuple(slice(a, a + n) for a, n in zip(first, out.values.shape))
    np.testing.assert_array_equal(out.values, hu[box])


def test_outliers_and_padding_are_said(corpus_module, dicom_module):
    values = body(seed=7).astype(np.float64)
    values[0, 0, :3], values[1, 0, :2] = 1e9, -3000
    volume = corpus_module("resample").convert_to_int16(
        dicom_module("volume").Volume(values, np.eye(4))
    )
    assert volume.repairs == ["outliers beyond int16: 3", "padding set to air: 2 voxels"]
    assert volume.values.dtype == np.int16
    assert volume.values.max() == 32767 and volume.values.min() > -1100


# ---- who trains and who validates ----


def test_split_is_seeded_and_nearly_the_same_when_patients_join(corpus_module):
    split = corpus_module("tables").split
    patients = [f"p{n}" for n in range(100)]
    before, after = split(patients, 0.1, 0), split([*patients, "new"], 0.1, 0)
    assert len(before) == 10 and len(before & after) >= 9
    assert split(patients, 0.1, 1) != before
    assert len(split(patients[:2], 0.05, 0)) == 1 and split(patients[:1], 0.05, 0) == set()


def test_tables_survive_names_that_are_no_unicode(corpus_module):
    text = corpus_module("tables")._csv(("source",), [{"source": 'a\udcff "b",\nc'}])
    assert text.encode() == b'source\n"a\\udcff ""b"",\nc"\n'


def test_record_of_changed_files_does_not_count(corpus_module, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"signature": "a", "id": "1"}))
    assert corpus_module("records").read_record(path, "a")["id"] == "1"
    assert corpus_module("records").read_record(path, "b") is None
    path.write_text('{"signature": "a"')  # cut short
    assert corpus_module("records").read_record(path, "a") is None


@pytest.mark.parametrize("name", ["a.hdr", "a.mhd"])
def test_record_of_changed_voxels_beside_a_header_does_not_count(corpus_module, tmp_path, name):
    records = corpus_module("records")
    settings = records.Settings(str(tmp_path), 1.5, -500.0)
    image = {"path": f"sub/{name}", "name": f"sub/{name}", "files": 2}
    (tmp_path / "sub").mkdir()
    voxels = write_in_two_files(tmp_path / "sub" / name).with_suffix(
        ".img" if name == "a.hdr" else ".raw"
    )

    def hashed() -> str:
        files = records.list_image_files(str(tmp_path), settings, image)
        assert [file["name"] for file in files] == [f"sub/{name}", f"sub/{voxels.name}"]
        return records.hash_image(settings, image, files)

    before = hashed()
    assert hashed() == before
    os.utime(voxels, ns=(5, 5))
    assert hashed() != before


def test_folder_that_cannot_be_opened_is_one_row(
    corpus_module, dicom_module, tmp_path, monkeypatch
):
    write_nifti(tmp_path / "open/a.nii", body())
    (tmp_path / "closed").mkdir()
    walk = corpus_module("prepare").walk
    scandir = walk.os.scandir

    def closed(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(walk.os, "scandir", closed)
    _, folder, _ = walk.list_folders(tmp_path)
    scan = dicom_module("scan_folder").scan_folder(tmp_path, folder.path, folder.files)
    scan |= {"folder": "closed", "rejected": [*scan["rejected"], *folder.left_out]}
    (row,) = corpus_module("tables").collect([], [scan], {}).rejected
    assert (row["source"], row["files"]) == ("closed/", 0)
    assert (row["kind"], row["detail"]) == ("folder that cannot be opened", "Permission denied")


def test_full_destination_ends_the_work_and_a_failure_does_not(corpus_module, tmp_path, refusal):
    def full(path: str) -> None:
        raise OSError(28, "No space left on device", path)

    with refusal("cannot be written: .*No space left.*; make room"):
        corpus_module("prepare_volume")._write_or_refuse(full, "a.nii")
    unfinished = {"source": "a", "series": "", "files": 1, "copies": None}
    kind, detail = corpus_module("dask_cluster").describe_failure(MemoryError("of 3 GB"))
    table = corpus_module("tables").collect([unfinished | {"kind": kind, "detail": detail}], [], {})
    assert detail == "MemoryError: of 3 GB"
    assert "1 could not be finished: start again" in corpus_module("prepare").summarize(table)
