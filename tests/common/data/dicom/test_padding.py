"""PixelPaddingValue against the voxels."""

import numpy as np
import pytest
from dicom_series import body, written

from common.data.dicom import headers, read

HU = np.maximum(body((40, 36, 20), seed=1), -1024)


@pytest.mark.parametrize(
    ("stored_padding", "tag", "kind", "words"),
    [
        (-2000, -2000, "SS", "padding set to air: 7200 voxels"),
        (-2000, 63536, "US", "padding set to air: 7200 voxels"),  # the sign was lost
        (0, 0, "SS", ""),  # -1024 HU: is air already
        (1024, 1024, "SS", "PixelPaddingValue not believed: {} voxels of 0 HU kept"),
        (1200, 1200, "SS", "PixelPaddingValue not believed: {} voxels of 176 HU kept"),
    ],
)
def test_padding_is_air_unless_a_body_may_have_its_hu(tmp_path, stored_padding, tag, kind, words):
    def pad(dataset, number: int) -> None:
        stored = np.frombuffer(dataset.PixelData, np.uint16).astype(np.int16).reshape(36, 40)
        stored = np.vstack([np.full((9, 40), stored_padding), stored[9:]]).astype(np.int16)
        dataset.PixelRepresentation, dataset.PixelData = 1, stored.tobytes()
        dataset.add_new("PixelPaddingValue", kind, tag)

    volume = read.read_series(written(headers, tmp_path, HU, change=pad), 2)
    hu = HU[::-1, ::-1].copy()  # LPS
    hu[:, :9] = -1024 if stored_padding == -2000 else stored_padding - 1024
    np.testing.assert_array_equal(volume.values, hu)
    repairs = [words.format(np.count_nonzero(hu == stored_padding - 1024))] if words else []
    assert volume.repairs == repairs
