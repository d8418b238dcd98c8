"""The files of an image: header and voxels, in one file or several."""

import numpy as np
import pytest
from helpers import write_in_two_files, write_nifti

from common.data.image_files import list_image_files

FILES = {
    "a.hdr": ["a.hdr", "a.img"],
    "a.mha": ["a.mha"],
    "a.mhd": ["a.mhd", "a.raw"],
    "a.nrrd": ["a.nrrd"],
    "a.nhdr": ["a.nhdr", "a.raw"],
}


@pytest.mark.parametrize("name", FILES)
def test_header_and_voxels_are_listed_in_this_order(tmp_path, name):
    path = write_in_two_files(tmp_path / name)
    assert [file.name for file in list_image_files(path)] == FILES[name]
    assert all(file.parent == tmp_path for file in list_image_files(str(path)))


def test_nifti_is_one_file(tmp_path):
    path = write_nifti(tmp_path / "a.nii", np.zeros((2, 2, 2)))
    assert list(map(str, list_image_files(path))) == [path]


def test_the_second_file_of_a_pair_lists_both(tmp_path):
    path = write_in_two_files(tmp_path / "a.hdr")
    assert list_image_files(path.with_suffix(".img")) == list_image_files(path)


def test_every_file_of_a_pattern_or_a_list_is_listed(tmp_path):
    slices = [tmp_path / f"s{z}.raw" for z in range(3)]
    for path in slices:
        path.write_bytes(b"x")
    (tmp_path / "a.mhd").write_text("NDims = 3\nElementDataFile = s%d.raw 0 2 1\n")
    (tmp_path / "b.mhd").write_text("NDims = 3\nElementDataFile = LIST\ns0.raw\ns1.raw\ns2.raw\n")
    for header in ("a.mhd", "b.mhd"):
        assert list_image_files(tmp_path / header) == [tmp_path / header, *slices]


@pytest.mark.parametrize("name", ["none.hdr", "none.mhd", ".hdr", "series_uid", "text"])
def test_what_is_missing_or_no_image_is_one_path(tmp_path, name):
    assert list_image_files(tmp_path / name) == [tmp_path / name]
    assert list_image_files(tmp_path) == [tmp_path]


def test_a_header_whose_voxels_are_missing_or_not_understood_is_alone(tmp_path):
    for name in ("a.hdr", "a.mhd"):
        path = write_in_two_files(tmp_path / name)
        list_image_files(path)[1].unlink()
        assert list_image_files(path) == [path]
    (tmp_path / "b.mhd").write_text("NDims = 3\nElementDataFile = 50%.raw\n")
    assert list_image_files(tmp_path / "b.mhd") == [tmp_path / "b.mhd"]
