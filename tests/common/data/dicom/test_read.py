"""A DICOM series read as a volume: HU, the patient's coordinates, the order of its slices."""

import nibabel as nib
import numpy as np
from dicom_series import body, written

from common.data.dicom import headers, read


def test_series_has_hu_and_the_patients_coordinates(tmp_path):
    hu = body((40, 36, 20), seed=1)
    volume = read.read_series(written(headers, tmp_path, hu, spacing_mm=(2, 2.5, 4)), 2)
    assert nib.aff2axcodes(volume.affine) == ("L", "P", "S")
    np.testing.assert_allclose(volume.spacing_mm, [2, 2.5, 4])
    turned = nib.apply_orientation(volume.values, nib.io_orientation(volume.affine))
    np.testing.assert_array_equal(turned, np.maximum(hu, -1024))


def test_slices_in_any_order_are_one_volume(tmp_path):
    slices = written(headers, tmp_path, body(seed=2))
    shuffled = [slices[number] for number in np.random.default_rng(0).permutation(24)]
    volumes = [read.read_series(order, 2) for order in (slices, shuffled)]
    np.testing.assert_array_equal(volumes[0].values, volumes[1].values)
    np.testing.assert_array_equal(volumes[0].affine, volumes[1].affine)
