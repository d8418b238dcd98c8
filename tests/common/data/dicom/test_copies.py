"""Copies of DICOM files are told by their bytes."""

import numpy as np
from dicom_series import body, written

from common.data.dicom import copies, headers, read

HU = np.maximum(body((12, 10, 6)), -1024)


def again(folder) -> list[dict]:
    """Headers of all files of a folder."""
    return [{**headers.read(path), "path": str(path)} for path in sorted(folder.iterdir())]


def test_copies_by_name_and_copies_cut_short_are_left_out(tmp_path):
    written(headers, tmp_path, HU)
    content = (tmp_path / "0003.dcm").read_bytes()
    (tmp_path / "0003 (1).dcm").write_bytes(content)
    (tmp_path / "0003 (2).dcm").write_bytes(content[:-30])
    volume = read.read_series(again(tmp_path), 2)
    assert volume.repairs == ["copies of files left out: 2"]
    np.testing.assert_array_equal(volume.values, HU[::-1, ::-1])


def test_one_instance_uid_for_all_slices_makes_no_copies(tmp_path):
    slices = written(headers, tmp_path, HU, SOPInstanceUID="1.2.3")
    assert not any(item["is_copy"] for item in copies.mark_copies(slices))
