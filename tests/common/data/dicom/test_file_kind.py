"""DICOM files, told from others by their first bytes."""

import pytest

from common.data.dicom import file_kind


@pytest.mark.parametrize("suffix", ["upper", "lower"])
def test_file_without_a_preamble_is_known_by_its_first_element(suffix):
    head = bytes.fromhex("08000500") + (b"CS" if suffix == "upper" else b"\x0a\0") + b"\0\0"
    assert file_kind.starts_without_preamble(head + bytes(344))
    assert not file_kind.starts_without_preamble(b"\x08\0" + b"text" * 80)
