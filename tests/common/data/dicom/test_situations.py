"""Situations that users of other DICOM converters report: a right volume, or one sentence."""

import nibabel as nib
import numpy as np
import pydicom
import pytest
from dicom_series import body
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, HTJ2KLossless, SecondaryCaptureImageStorage

from common.data.dicom import series_names
from tools.phantom.dicom import write_series

HU = np.maximum(body((30, 28, 12), seed=3), -1024)
UID = "1.2.3.4"


def read(folder) -> np.ndarray:
    """The only series of a folder, in RAS."""
    (name,) = series_names.find_series(str(folder))
    values, affine = series_names.read_named_series(name)
    return nib.as_closest_canonical(nib.Nifti1Image(values, affine)).get_fdata()


def one(change):
    """A change of slice 5 alone."""
    return lambda dataset, number: change(dataset) if number == 5 else None


def _no_decoder(dataset) -> None:
    dataset.file_meta.TransferSyntaxUID = HTJ2KLossless
    dataset.PixelData = encapsulate([b"\\xff\\x4f" + bytes(100)])


def _colour(dataset) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
    dataset.PlanarConfiguration, dataset.BitsAllocated, dataset.BitsStored = 0, 8, 8
    dataset.HighBit, dataset.PixelData = 7, bytes(30 * 28 * 3)


def _set(**tags):
    return lambda dataset: [setattr(dataset, tag, value) for tag, value in tags.items()]


def _no(tag):
    return lambda dataset: delattr(dataset, tag)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_no("PixelSpacing"), "no position in the patient: PixelSpacing is absent"),
        (_set(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "ImageOrientationPatient is absent or"),
        (_no("RescaleSlope"), "no rescale tags"),
        (_set(PhotometricInterpretation="MONOCHROME1"), "pictures instead of HU: MONOCHROME1"),
        (_colour, "pictures instead of HU: RGB"),
        (_set(NumberOfFrames=2), "multi-frame DICOM"),
        (_no("PixelData"), "damaged slice: 0005.dcm"),
        (_set(BitsAllocated=8, BitsStored=8, HighBit=7), "damaged slice: 0005.dcm"),
        (_no_decoder, "damaged slice: 0005.dcm"),
        (_no("Rows"), "an object without an image"),
        (_set(ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), "ImageOrientationPatient differs"),
    ],
)
def test_one_odd_slice_is_one_sentence(tmp_path, refusal, change, words):
    write_series(tmp_path, HU, change=one(change))
    with refusal(words):
        read(tmp_path)


@pytest.mark.parametrize(
    "tags",
    [
        {"InstanceNumber": None},
        {"InstanceNumber": 1},
        {"NumberOfFrames": 1},
        {"FrameOfReferenceUID": None},
        {"SOPClassUID": SecondaryCaptureImageStorage},
        {"SliceThickness": 99, "SpacingBetweenSlices": -1, "SliceLocation": 7},
    ],
)
def test_tags_that_do_not_matter(tmp_path, tags):
    write_series(tmp_path, HU, **tags)
    np.testing.assert_array_equal(read(tmp_path), HU)


def test_localizer_and_reports_under_the_series_uid_are_left_out(tmp_path):
    write_series(tmp_path, HU, SeriesInstanceUID=UID)
    for name, tags in (("scout", {"ImageType": ["LOCALIZER"]}), ("sr", {"Modality": "SR"})):
        write_series(tmp_path, HU[..., :1], name=name.format, SeriesInstanceUID=UID, **tags)
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "Thumbs.db").write_bytes(b"\\xd0\\xcf")
    (tmp_path / "viewer.exe").write_bytes(b"MZ" + bytes(500))
    np.testing.assert_array_equal(read(tmp_path), HU)


def test_instance_numbers_that_are_not_spatial_are_said(tmp_path, caplog):
    write_series(tmp_path, HU, change=lambda data, n: _set(InstanceNumber=n * 5 % 12)(data))
    np.testing.assert_array_equal(read(tmp_path), HU)
    assert "InstanceNumber does not follow the positions: the UIDs are believed" in caplog.text


def test_damaged_number_is_one_sentence(tmp_path, refusal):
    path = write_series(tmp_path, HU)[5]
    path.write_bytes(path.read_bytes().replace(b"15.0", b"1x.0"))  # its height
    with refusal("is no usable CT series .damaged slice: 1 of 12"):
        read(tmp_path)


def test_big_endian_voxels_are_read(tmp_path):
    for path in write_series(tmp_path, HU):
        dataset = pydicom.dcmread(path)
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        pydicom.dcmwrite(path, dataset, little_endian=False, implicit_vr=False)
    np.testing.assert_array_equal(read(tmp_path), HU)


def test_overlay_in_the_bits_above_the_voxels_is_no_voxel(tmp_path):
    """Scanners of the nineties kept drawings in the upper four bits."""

    def draw(dataset, number: int) -> None:
        stored = np.frombuffer(dataset.PixelData, np.uint16).copy()
        stored[:200] |= 1 << 12
        dataset.BitsStored, dataset.HighBit, dataset.PixelData = 12, 11, stored.tobytes()

    write_series(tmp_path, HU, change=draw)
    np.testing.assert_array_equal(read(tmp_path), HU)
