"""Headers that reverse x and y: corrected where data are read, kept where labels are written."""

import logging

import nibabel as nib
import numpy as np
import pytest
from helpers import write_json, write_nifti
from monai.data import DataLoader, Dataset, decollate_batch
from monai.transforms import Compose, LoadImaged, Orientationd, SaveImage

from common.data import ImageReader, LabelFiles, nifti, read_msd_orientation
from common.data.cache_key import key_of_transforms
from common.errors import InputError

VALUES = np.arange(-1000, -1000 + 4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
AFFINE = np.array([[0.8, 0, 0, -3], [0, 0.8, 0, 7], [0, 0, 2.5, 11], [0, 0, 0, 1]])


def test_lps_anatomy_under_the_affine_of_ras_is_read_as_its_true_orientation(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", VALUES, affine=AFFINE)
    readers = {"image": ImageReader("CT", msd_orientation=True), "label": LabelFiles(True)}
    pair = {key: path for key in readers}
    for key, reader in readers.items():
        pair = LoadImaged(key, reader=reader, ensure_channel_first=True)(pair)
    for item in pair.values():
        assert nib.aff2axcodes(item.affine) == ("L", "P", "S")
        assert np.allclose(item.affine[:3, 3], [3, -7, 11])
    turned = Orientationd(["image", "label"], "RAS", labels=None)(pair)
    for item in turned.values():
        assert np.array_equal(item[0], VALUES[::-1, ::-1])


def test_the_writer_gives_the_file_s_own_header_back(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", VALUES, affine=AFFINE)
    load = LoadImaged("image", reader=ImageReader("CT", msd_orientation=True))
    item = next(iter(DataLoader(Dataset([{"image": path}], load), batch_size=1)))["image"]
    saver = SaveImage(tmp_path, writer=nifti.VolumeWriter, separate_folder=False, print_log=False)
    saver(decollate_batch(item)[0][None])
    image, written = nib.load(path), nib.load(tmp_path / "a_trans.nii.gz")
    assert np.array_equal(written.affine, image.affine)
    for field in ("qform_code", "sform_code", "srow_x", "srow_y"):
        assert np.array_equal(written.header[field], image.header[field])
    assert np.array_equal(np.asarray(written.dataobj), VALUES)


def test_without_the_flag_the_header_counts(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", VALUES, affine=AFFINE)
    item = LoadImaged("image", reader=ImageReader("CT"))({"image": path})["image"]
    assert np.allclose(item.affine, AFFINE) and "msd_orientation" not in item.meta


def test_a_cached_volume_is_not_read_for_the_other_orientation():
    readers = [ImageReader("CT", msd_orientation=value) for value in (False, True, True)]
    keys = [key_of_transforms(Compose([LoadImaged("image", reader=each)])) for each in readers]
    assert keys[0] != keys[1] == keys[2]


def test_dicom_is_refused(tmp_path):
    with pytest.raises(InputError, match="is DICOM, whose orientation is right; leave out"):
        ImageReader("CT", msd_orientation=True).get_data((str(tmp_path),))


@pytest.mark.parametrize(
    ("content", "name", "value", "words"),
    [
        ({"msd_orientation": True}, "own", True, "True in {}: x and y of the headers are turned"),
        ({"msd_orientation": False}, "own", False, "False in {}: the headers count"),
        ({}, "Task09_Spleen", False, "False: the headers count; for the Decathlon's own images"),
        ({}, "BTCV", False, None),
    ],
)
def test_the_datalist_decides_and_one_line_says_so(content, name, value, words, tmp_path, caplog):
    path = write_json(tmp_path / "a.json", content)
    with caplog.at_level(logging.INFO):
        assert read_msd_orientation(path, name) is value
    assert len(caplog.messages) == (words is not None)
    assert words is None or f"msd_orientation is {words.format(path)}" in caplog.text


def test_without_a_datalist_it_is_off(caplog):
    with caplog.at_level(logging.INFO):
        assert read_msd_orientation(None, "Task09_Spleen") is False
    assert "msd_orientation is False: the headers count" in caplog.text


def test_other_values_are_refused_and_other_files_left_to_their_reader(tmp_path):
    with pytest.raises(InputError, match="msd_orientation is 'yes', and takes true or false"):
        read_msd_orientation(write_json(tmp_path / "a.json", {"msd_orientation": "yes"}), "a")
    (tmp_path / "b.json").write_text("{")
    assert read_msd_orientation(str(tmp_path / "b.json"), "a") is False
    assert read_msd_orientation(str(tmp_path / "missing.json"), "a") is False
