"""The digest by which a resumed training knows its images."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import write_in_two_files

from common.data.image_files import list_image_files
from common.training.data_digest import digest_data


def digest_of(*items: dict) -> str:
    return digest_data(SimpleNamespace(dataset=SimpleNamespace(data=list(items))))


def series(folder: Path, sizes: dict[str, int]) -> Path:
    folder.mkdir(parents=True)
    for name, size in sizes.items():
        (folder / name).write_bytes(bytes(size))
    return folder


@pytest.mark.parametrize(
    "sizes",
    [{"1.dcm": 3, "2.dcm": 5}, {"1.dcm": 3, "3.dcm": 4}, {"1.dcm": 3}],
    ids=["size", "name", "slice missing"],
)
def test_a_dicom_series_is_known_by_names_and_sizes_of_its_slices(tmp_path, sizes):
    before = digest_of({"image": series(tmp_path / "a/ct", {"1.dcm": 3, "2.dcm": 4})})
    moved = digest_of({"image": series(tmp_path / "b/ct", {"2.dcm": 4, "1.dcm": 3})})
    other = digest_of({"image": series(tmp_path / "c/ct", sizes)})
    assert before == moved != other


def test_files_are_known_by_key_name_size_and_order(tmp_path):
    folder = series(tmp_path / "ct", {"a.nii": 3, "b.nii": 3, "c.nii": 4})
    a, b, c = ({"image": str(folder / name)} for name in ("a.nii", "b.nii", "c.nii"))
    digests = [digest_of(a, b), digest_of(b, a), digest_of(a, c), digest_of(a)]
    digests.append(digest_of(a, {"label": b["image"]}))
    assert len(set(digests)) == 5


def test_a_list_that_is_not_known_has_no_digest():
    assert digest_data(SimpleNamespace(dataset=None)) is None


@pytest.mark.parametrize("name", ["a.hdr", "a.mhd"])
def test_voxels_in_a_file_of_their_own_count(tmp_path, name):
    image = write_in_two_files(tmp_path / name)
    before = digest_of({"image": str(image)})
    assert digest_of({"image": str(image)}) == before
    with list_image_files(image)[1].open("ab") as file:
        file.write(b"x")
    assert digest_of({"image": str(image)}) != before
