"""Writes a segmentation as NIfTI on the grid of the DICOM series."""

from pathlib import Path

import nibabel as nib
import numpy as np
from monai.deploy.core import Fragment, Operator, OperatorSpec

from common.atomic_write import replacing


class NiftiWriterOperator(Operator):
    """Writes labels as NIfTI with the affine of the series; the SDK has no such operator.

    Inputs: `image`, the volume of the series, which knows the affine; `pred`, the labels.

    Args:
        fragment: the application.
        path: of the file, ending in .nii.gz.
    """

    def __init__(self, fragment: Fragment, *args, path: Path, **kwargs) -> None:
        self.path = path
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.input("image")
        spec.input("pred")

    def compute(self, op_input, op_output, context) -> None:
        affine = np.asarray(op_input.receive("image").metadata()["affine"], dtype=float)
        labels = op_input.receive("pred").asnumpy()  # (Z, Y, X)
        image = nib.Nifti1Image(labels.transpose(2, 1, 0).astype(np.uint8), affine)
        with replacing(self.path) as temporary:
            nib.save(image, temporary)
