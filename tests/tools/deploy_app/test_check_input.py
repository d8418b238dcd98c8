import nibabel as nib
import numpy as np
import pydicom
import pytest
from dicom_series import body
from pydicom.uid import generate_uid

from tools.deploy_app.check_input import check_output, read_arguments, read_one_series
from tools.phantom.dicom import phantom_tags, write_series

SPACING_MM = (3.0, 3.0, 3.0)
HU = np.maximum(body((24, 20, 18)), -1024)  # what is stored begins there


@pytest.fixture
def series(tmp_path):
    """The files of a series in a folder `ct`."""
    return write_series(tmp_path / "ct", HU, SPACING_MM, **phantom_tags(SPACING_MM))


def test_a_series_is_read_as_the_bundles_read_it(series, tmp_path):
    (tmp_path / "ct/notes.txt").write_text("no image")
    found = read_one_series(tmp_path / "ct")
    image = nib.as_closest_canonical(nib.Nifti1Image(found.values, found.affine))
    np.testing.assert_array_equal(np.asarray(image.dataobj), HU)


def test_tags_that_may_be_empty_may_be_absent(tmp_path):
    absent = dict.fromkeys(("PatientName", "StudyID", "AccessionNumber"))
    write_series(tmp_path / "ct", HU, SPACING_MM, **phantom_tags(SPACING_MM) | absent)
    assert read_one_series(tmp_path / "ct").values.shape == HU.shape


@pytest.mark.parametrize(
    "tag", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"]
)
def test_a_missing_uid_is_named_with_its_file(series, refusal, tag):
    header = pydicom.dcmread(series[5])
    delattr(header, tag)
    if tag == "SeriesInstanceUID":  # of one file it would be another series
        for path in series:
            other = pydicom.dcmread(path)
            delattr(other, tag)
            other.save_as(path)
    header.save_as(series[5])
    name = series[0].name if tag == "SeriesInstanceUID" else series[5].name
    with refusal(rf"ct/{name} has no {tag}, .* segment it by `python -m monai.bundle run`"):
        read_one_series(series[0].parent)


def test_an_empty_series_number_is_refused_and_none_is_not(series, refusal, tmp_path):
    tags = phantom_tags(SPACING_MM) | {"SeriesNumber": None}
    write_series(tmp_path / "without", HU, SPACING_MM, **tags)
    assert read_one_series(tmp_path / "without").values.shape == HU.shape
    header = pydicom.dcmread(series[0])
    header.SeriesNumber = None
    header.save_as(series[0])
    with refusal("0000.dcm has no SeriesNumber"):
        read_one_series(series[0].parent)


def test_files_without_preamble_are_refused(series, refusal):
    series[3].write_bytes(series[3].read_bytes()[132:])
    with refusal("0003.dcm lacks DICOM's preamble"):
        read_one_series(series[0].parent)


def test_two_series_are_refused(series, refusal, tmp_path):
    write_series(tmp_path / "ct/second", HU, SPACING_MM, **phantom_tags(SPACING_MM))
    with refusal("ct holds 2 CT series .* give -i a folder with the files of one"):
        read_one_series(tmp_path / "ct")


def test_an_overview_beside_the_series_is_refused(series, refusal):
    header = pydicom.dcmread(series[0])
    header.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    header.SeriesInstanceUID, header.SOPInstanceUID = generate_uid(), generate_uid()
    header.save_as(series[0].with_name("overview.dcm"))
    with refusal("ct holds other DICOM files beside the CT series .*1 of localizer"):
        read_one_series(series[0].parent)


def test_missing_slices_are_refused(series, refusal):
    for path in series[7:9]:
        path.unlink()
    with refusal(r"ct is no usable CT series \(missing slices"):
        read_one_series(series[0].parent)


def test_folders_without_a_series_are_refused(tmp_path, refusal):
    with refusal("absent is no folder; give -i"):
        read_one_series(tmp_path / "absent")
    with refusal("holds no CT series of DICOM files; give -i the folder of one.$"):
        read_one_series(tmp_path)
    nib.save(nib.Nifti1Image(HU, np.eye(4)), tmp_path / "ct.nii.gz")
    with refusal("or segment it by `python -m monai.bundle run` if it is no DICOM"):
        read_one_series(tmp_path)


def test_arguments_and_variables_are_those_of_the_sdk(monkeypatch):
    monkeypatch.setenv("HOLOSCAN_MODEL_PATH", "/opt/model")
    words = ["-i", "ct", "--output=out", "--log-level", "INFO"]
    assert [*map(str, read_arguments(words))] == ["ct", "out", "/opt/model"]


def test_output_that_is_a_file_is_refused(tmp_path, refusal):
    (tmp_path / "out").touch()
    with refusal("out is a file; give -o a folder"):
        check_output(tmp_path / "out")
    check_output(tmp_path / "new")
    assert not (tmp_path / "new").exists()
