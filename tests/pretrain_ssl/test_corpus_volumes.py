"""One volume on its way into a corpus: geometry, plausibility, the grid, by hand-computed cases."""

import json

import nibabel as nib
import numpy as np
import pytest
from dicom_series import body
from helpers import config_files, write_nifti
from monai.bundle import ConfigParser
from phantom_dicom import write_series

NORMAL = np.array([0.0, 0.0, 1.0])


def heights(*z_mm: float) -> np.ndarray:
    """Positions of slices at these heights, one above the other."""
    return np.array([[0.0, 0.0, z] for z in z_mm])


def series(curation, folder, hu, **options) -> list[dict]:
    """Headers of a series that is written to a folder."""
    paths = write_series(folder, hu, **options)
    return [{**curation("headers").read(path), "path": str(path)} for path in paths]


# ---- slices on a line ----


def test_step_of_even_slices(curation):
    step = curation("stacking").step(heights(*np.arange(20) * 2.5), NORMAL)
    np.testing.assert_allclose(step, [0, 0, 2.5])


def test_positions_rounded_by_the_scanner_are_even(curation):
    """0.625 mm, written with one decimal."""
    z_mm = np.round(np.arange(40) * 0.625, 1)
    step = curation("stacking").step(heights(*z_mm), NORMAL)
    np.testing.assert_allclose(step, [0, 0, 0.625], atol=2e-3)


def test_step_of_a_tilted_gantry_keeps_the_lean(curation):
    lean = np.array([[0.0, 0.5 * n, 2.0 * n] for n in range(20)])
    np.testing.assert_allclose(curation("stacking").step(lean, NORMAL), [0, 0.5, 2.0])


@pytest.mark.parametrize(
    ("z_mm", "words"),
    [
        ([*range(0, 40, 2), 44, 46, 50], "missing slices: 3 of 2.00 mm"),
        ([*range(0, 40, 2), 39], "uneven spacing: 1.00 to 2.00 mm"),
        (list(range(15)), "too small: 15 slices"),
        ([0.9 * n + 0.003 * n * n for n in range(40)], "uneven spacing: slices lie up to"),
    ],
)
def test_slices_that_do_not_fill_a_box_are_rejected(curation, z_mm, words):
    with pytest.raises(curation("outcome").RejectedError, match=words):
        curation("stacking").step(heights(*z_mm), NORMAL)


# ---- DICOM ----


def test_series_has_hu_and_the_patients_coordinates(curation, tmp_path):
    hu = body((40, 36, 20), seed=1)
    volume = curation("dicom").read_series(series(curation, tmp_path, hu, spacing_mm=(2, 2.5, 4)))
    assert nib.aff2axcodes(volume.affine) == ("L", "P", "S")
    np.testing.assert_allclose(volume.spacing_mm, [2, 2.5, 4])
    turned = nib.apply_orientation(volume.values, nib.io_orientation(volume.affine))
    np.testing.assert_array_equal(turned, np.maximum(hu, -1024))


def test_slices_in_any_order_are_one_volume(curation, tmp_path):
    slices = series(curation, tmp_path, body(seed=2))
    shuffled = [slices[number] for number in np.random.default_rng(0).permutation(24)]
    volumes = [curation("dicom").read_series(order) for order in (slices, shuffled)]
    np.testing.assert_array_equal(volumes[0].values, volumes[1].values)
    np.testing.assert_array_equal(volumes[0].affine, volumes[1].affine)


def test_tilted_gantry_gives_the_upright_anatomy(curation, tmp_path):
    """A straight rod along z, scanned with slices that lean by 15 degrees, is straight again."""
    angle, shape = np.radians(15), (40, 60, 40)
    x, y, z = np.meshgrid(*map(np.arange, shape), indexing="ij")
    along = y * 3 * np.cos(angle)  # where a row lies in the patient, mm; z only shifts the slice
    rod = (np.abs(x * 3 - 60) < 12) & (np.abs(along - 80) < 12)
    hu = np.where(rod, 800, np.where(np.abs(x - 20) < 18, 40, -1000))
    hu = hu + np.random.default_rng(0).integers(-20, 20, shape)
    # written as RAS, whose y runs against the rows
    slices = series(curation, tmp_path, hu[::-1, ::-1].astype(np.int16), tilt_degrees=15)
    grid = curation("grid")
    volume = grid.on_grid(grid.as_int16(curation("dicom").read_series(slices)), 1.5, -500)
    assert volume.repairs == ["gantry tilt: 15.0 degrees"]
    np.testing.assert_allclose(volume.spacing_mm, 1.5)
    middle = []
    for k in range(40, volume.values.shape[2] - 40):
        places = np.argwhere(volume.values[:, :, k] > 500)
        middle.append(places.mean(axis=0))
    assert np.ptp(middle, axis=0).max() < 0.5  # voxels over the whole length


@pytest.mark.parametrize("suffix", ["upper", "lower"])
def test_file_without_a_preamble_is_known_by_its_first_element(curation, suffix):
    head = bytes.fromhex("08000500") + (b"CS" if suffix == "upper" else b"\x0a\0") + b"\0\0"
    assert curation("headers").starts_without_preamble(head + bytes(344))
    assert not curation("headers").starts_without_preamble(b"\x08\0" + b"text" * 80)


# ---- which volumes are CTs in HU ----


def checked(curation, hu: np.ndarray) -> None:
    volume = curation("outcome").Volume(hu, np.diag([3.0, 3.0, 3.0, 1.0]))
    curation("plausible").check_size(volume)
    curation("plausible").check_hu(volume, -500)


def test_cts_are_plausible(curation):
    hu = body(seed=3)
    checked(curation, hu)
    checked(curation, hu.astype(np.float32) + 0.25)
    checked(curation, np.clip(hu, -1000, 1000))
    padded = hu.copy()
    padded[:4] = -3024
    checked(curation, padded)


def test_every_scale_but_hu_is_not(curation):
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
        with pytest.raises(curation("outcome").RejectedError):
            checked(curation, values)
            pytest.fail(name)


# ---- the grid ----


def test_prepared_volume_is_what_trainings_own_transforms_give(curation, scripts, tmp_path):
    """A CT in LPS at another spacing, as training takes it whole, and as it is prepared."""
    hu = body((50, 46, 30), seed=5)
    affine = np.array([[-3.0, 0, 0, 90], [0, -3.0, 0, 40], [0, 0, 2.5, -7], [0, 0, 0, 1]])
    path = write_nifti(tmp_path / "ct.nii.gz", hu, affine=affine)
    parser = ConfigParser(ConfigParser.load_config_files(config_files("pretrain_ssl", "train")))
    opened = parser.get_parsed_content("deterministic_transforms")[0]({"image": path})["image"]
    expected = opened.numpy()[0]
    grid = curation("grid")
    volume = grid.as_int16(curation("nifti_source").read_nifti(tmp_path / "ct.nii.gz"))
    volume = grid.on_grid(volume, 1.5, -500)
    assert volume.values.shape == expected.shape
    np.testing.assert_allclose(volume.affine, opened.affine, atol=1e-4)
    np.testing.assert_allclose(volume.values, np.maximum(expected, -1024), atol=0.51)


def test_volume_on_the_grid_already_keeps_its_voxels(curation, tmp_path):
    hu = np.maximum(body((60, 50, 40), seed=6), -1024)
    volume = curation("outcome").Volume(hu, np.diag([1.5, 1.5, 1.5, 1]))
    out = curation("grid").on_grid(volume, 1.5, -500)
    first = np.rint(out.affine[:3, 3] / 1.5).astype(int)
    box = tuple(slice(a, a + n) for a, n in zip(first, out.values.shape))
    np.testing.assert_array_equal(out.values, hu[box])


def test_outliers_and_padding_are_said(curation):
    values = body(seed=7).astype(np.float64)
    values[0, 0, :3], values[1, 0, :2] = 1e9, -3000
    volume = curation("grid").as_int16(curation("outcome").Volume(values, np.eye(4)))
    assert volume.repairs == ["outliers beyond int16: 3", "padding set to air: 2 voxels"]
    assert volume.values.dtype == np.int16
    assert volume.values.max() == 32767 and volume.values.min() > -1100


# ---- who trains and who validates ----


def test_split_is_seeded_and_nearly_the_same_when_patients_join(curation):
    split = curation("catalogue").split
    patients = [f"p{n}" for n in range(100)]
    before, after = split(patients, 0.1, 0), split([*patients, "new"], 0.1, 0)
    assert len(before) == 10 and len(before & after) >= 9
    assert split(patients, 0.1, 1) != before
    assert len(split(patients[:2], 0.05, 0)) == 1 and split(patients[:1], 0.05, 0) == set()


def test_tables_survive_names_that_are_no_unicode(curation):
    text = curation("catalogue")._csv(("source",), [{"source": 'a\udcff "b",\nc'}])
    assert text.encode() == b'source\n"a\\udcff ""b"",\nc"\n'


def test_record_of_changed_files_does_not_count(curation, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"signature": "a", "id": "1"}))
    assert curation("records").read_record(path, "a")["id"] == "1"
    assert curation("records").read_record(path, "b") is None
    path.write_text('{"signature": "a"')  # cut short
    assert curation("records").read_record(path, "a") is None


def test_folder_that_cannot_be_opened_is_one_row(curation, tmp_path, monkeypatch):
    write_nifti(tmp_path / "open/a.nii", body())
    (tmp_path / "closed").mkdir()
    scandir = curation("walk").os.scandir

    def closed(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(curation("walk").os, "scandir", closed)
    found = dict(curation("walk").folders(tmp_path))
    assert found == {"": [], "closed": "Permission denied", "open": ["a.nii"]}
    scanned = {"folder": "closed", **curation("sources").scan(tmp_path, "closed", found["closed"])}
    (row,) = curation("catalogue").collect([], [scanned], {}).rejected
    assert (row["source"], row["files"]) == ("closed/", 0)
    assert (row["kind"], row["detail"]) == ("folder that cannot be opened", "Permission denied")


def test_full_destination_ends_the_work_and_a_failure_does_not(curation, tmp_path, refusal):
    def full(path: str) -> None:
        raise OSError(28, "No space left on device", path)

    with refusal("cannot be written: .*No space left.*; make room"):
        curation("units")._guarded(full, "a.nii")
    unfinished = {"source": "a", "series": "", "files": 1, "copies": None}
    kind, detail = curation("cluster").reason(MemoryError("of 3 GB"))
    table = curation("catalogue").collect([unfinished | {"kind": kind, "detail": detail}], [], {})
    assert detail == "MemoryError: of 3 GB"
    assert "1 could not be finished: start again" in curation("prepare").summary(table)
