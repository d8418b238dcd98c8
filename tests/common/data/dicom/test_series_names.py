"""Series as inference finds and reads them: the rules are those of `corpus prepare`."""

from pathlib import Path

import anonymous_archive
import nibabel as nib
import numpy as np
import pydicom
import pytest
from dicom_series import body
from spoiled_archive import without_preamble

from common.data import image_folder
from common.data.dicom import folder_series, headers, scan_folder, series_names
from common.data.image_reader import ImageReader
from tools.phantom.dicom import write_series

HU = np.maximum(body((30, 28, 12), seed=3), -1024)


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    return anonymous_archive.build(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def names(archive) -> list[str]:
    """Names of the archive's series, relative to the archive."""
    return [str(Path(name).relative_to(archive)) for name in series_names.find_series(str(archive))]


def upright(values: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Turns a volume to RAS."""
    return nib.as_closest_canonical(nib.Nifti1Image(values, affine)).get_fdata()


def name_of(source: str, names: list[str]) -> str:
    """The name of a source of the archive: of a series in two folders that with its UID."""
    start = f"{source.split('/')[0]}/" if " + " in source else source
    (name,) = [name for name in names if name.startswith(start)]
    return name


@pytest.mark.parametrize(("source", "expected"), anonymous_archive.EXPECTED.items())
def test_nothing_is_put_together_without_identity(
    source, expected, archive, names, refusal, caplog
):
    path = str(archive / name_of(source, names))
    if isinstance(expected, anonymous_archive.Reason):
        with refusal(f"is no usable CT series .{expected}.*; mend or remove it"):
            series_names.read_named_series(path)
        return
    volume = upright(*series_names.read_named_series(path))
    hu = np.maximum(body(seed=anonymous_archive.SEEDS[source]), -1024)
    np.testing.assert_array_equal(volume, hu)
    (line,) = caplog.messages or [""]
    assert line == "" if expected.startswith(anonymous_archive.NOT_JOINED) else expected in line


def test_each_source_has_one_name(names):
    assert len(names) == len(anonymous_archive.EXPECTED)


def test_folders_of_one_uid_that_are_not_put_together_are_said(archive, caplog):
    series_names.find_series(str(archive / "stacked"))
    assert [line.replace(str(archive), "") for line in caplog.messages] == [
        "/stacked/a and /stacked/b have one SeriesInstanceUID and are not put together: "
        "InstanceNumber repeats"
    ]


def test_series_in_two_folders_is_named_by_its_uid(tmp_path, refusal):
    for path in write_series(tmp_path / "a/b", HU, SeriesInstanceUID="1.2.3")[5:]:
        (tmp_path / "a/c").mkdir(exist_ok=True)
        path.rename(tmp_path / "a/c" / path.name)
    name = str(tmp_path / "a/1.2.3_in_2_folders")
    assert series_names.find_series(str(tmp_path)) == [name]
    np.testing.assert_array_equal(upright(*series_names.read_named_series(name)), HU)
    for path in (tmp_path / "a/c").iterdir():
        path.unlink()
    with refusal("1.2.3_in_2_folders is not one CT series of DICOM files; there is none"):
        series_names.read_named_series(name)


def test_files_without_a_preamble_are_read(tmp_path, refusal):
    without_preamble(write_series(tmp_path / "ct", HU))
    assert series_names.find_series(str(tmp_path)) == [str(tmp_path / "ct")]
    values, meta = ImageReader().get_data((str(tmp_path / "ct"),))
    np.testing.assert_array_equal(upright(values, meta["affine"]), HU)
    with refusal("0000.dcm is one slice of a DICOM series; give its folder"):
        ImageReader().get_data((str(tmp_path / "ct/0000.dcm"),))


def test_what_is_left_out_beside_a_series_is_said(tmp_path):
    write_series(tmp_path, HU, SeriesInstanceUID="1.2.3")
    write_series(tmp_path, HU[..., :1], name="scout{}".format, ImageType=["LOCALIZER"])
    write_series(tmp_path, HU, name="mr{}".format, Modality="MR")
    found = image_folder.find_in_folder(tmp_path)
    assert series_names.series_below(found) == [str(tmp_path)]
    assert found.describe() == (
        f"left out of {tmp_path}: 1 (.): series beside a CT: 1 of MR, 1 of localizer"
    )


def test_headers_of_a_flat_folder_are_read_once(tmp_path, monkeypatch):
    for number in range(3):
        uid = f"1.2.{number}"
        write_series(tmp_path, HU[..., :4], name=f"{uid}_{{}}".format, SeriesInstanceUID=uid)
    read, paths = headers.read, []
    monkeypatch.setattr(scan_folder.headers, "read", lambda path: paths.append(path) or read(path))
    for name in series_names.find_series(str(tmp_path)):
        series_names.read_named_series(name)
    assert len(paths) == 12
    dataset = pydicom.dcmread(paths[0])
    dataset.PatientID = "a longer name than before"
    dataset.save_as(paths[0])
    folder_series.series_in(str(tmp_path))
    assert len(paths) == 24  # a file has changed
