"""Writes the probabilities of all classes to a file that any viewer opens."""

import numpy as np
import torch
from nibabel.openers import ImageOpener
from torch import Tensor

from ..data.nifti import VolumeWriter
from ..data.nifti_header import output_header

STEPS = 255  # of a rounded probability; the file's header says so, and readers scale back


class ProbabilityWriter(VolumeWriter):
    """Writes uint8 (X, Y, Z, classes) as NIfTI for `SaveImaged`, a class at a time.

    The header's slope is 1/255, so that NIfTI readers give probabilities from 0 to 1. No
    array larger than one class is made on the way.
    """

    def save(self, path, **kwargs) -> None:
        """Writes the file `path`; see above."""
        header = output_header(self.meta, self.affine, self.data_obj.shape)
        header.set_data_dtype(np.uint8)
        header.set_slope_inter(1 / STEPS, 0)
        header["vox_offset"] = 352
        header["magic"] = b"n+1"
        with ImageOpener(path, "wb") as file:
            file.write(header.binaryblock + bytes(4))
            for volume in np.moveaxis(np.asarray(self.data_obj), -1, 0):
                file.write(volume.tobytes(order="F"))


def in_steps(values: Tensor) -> Tensor:
    """Rounds interpolated probabilities (classes, …) to uint8 steps of 1/255 with sum about 255.

    Where the network's grid ends, the sum fades to zero: there probabilities are scaled to sum 1.
    Voxels beyond the grid are background.
    """
    total = values.sum(0)
    steps = values * (STEPS / total.where(total > 0, torch.ones_like(total)))
    steps[0][total <= 0] = STEPS
    return steps.round_().to(torch.uint8)
