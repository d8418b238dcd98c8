"""The corpus' reader on drawn NIfTI files: HU and affine are right, or it is rejected in words."""

import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from drawn_nifti import UNITS_MM, Drawn, drawn_files
from hypothesis import HealthCheck, given, settings


@settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(drawn=drawn_files())
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_volumes_are_read_right_or_rejected_in_words(corpus_module, dicom_module, drawn):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.nii")
        path.write_bytes(drawn.content)
        try:
            volume = corpus_module("read_nifti").read_nifti(path)
        except dicom_module("volume").RejectedError as reason:
            has_nan = drawn.hu is not None and not np.isfinite(drawn.hu).all()
            assert reason.kind and (not drawn.is_sound or has_nan), reason
            return
        agrees(volume, nib.load(path).affine, drawn)


def agrees(volume, affine: np.ndarray, drawn: Drawn) -> None:
    affine[:3] *= UNITS_MM.get(drawn.unit, 1)
    np.testing.assert_allclose(volume.affine, affine, rtol=1e-6)
    is_finite = np.isfinite(drawn.hu)
    np.testing.assert_allclose(volume.values[is_finite], drawn.hu[is_finite], rtol=1e-5)
    notes = " ".join(volume.repairs)
    assert ("no orientation in its header" in notes) == (not drawn.has_forms)
    assert ("converted to mm" in notes) == (drawn.unit in (1, 3))
    assert ("not finite" in notes) == (not is_finite.all())
