"""DICOM series for tests: a small CT, and the compressed transfer syntaxes."""

from pathlib import Path
from types import ModuleType

import gdcm
import numpy as np

from tools.phantom.dicom import write_series


def body(shape=(40, 36, 24), seed: int = 0) -> np.ndarray:
    """A noisy ellipse of soft tissue with lungs and bone in air: (X, Y, Z) int16 HU."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radius = np.sqrt((axes[0] / 0.8) ** 2 + (axes[1] / 0.75) ** 2)
    hu = np.where(radius < 1, rng.normal(40, 25, shape), rng.normal(-990, 12, shape))
    lung = ((np.abs(axes[0]) - 0.35) / 0.2) ** 2 + (axes[1] / 0.35) ** 2 < 1
    bone = axes[0] ** 2 + (axes[1] + 0.5) ** 2 < 0.02
    fat = (radius > 0.88) & (radius < 1)
    for inside, mean in ((lung, -820), (bone, 700), (fat, -100)):
        hu = np.where(inside, rng.normal(mean, 30, shape), hu)
    hu[:, :, 0] += np.where(radius[:, :, 0] < 1, 80, 0)  # so that head and feet can be told apart
    return np.rint(hu).astype(np.int16)


def written(headers: ModuleType, folder: Path, hu: np.ndarray, **options) -> list[dict]:
    """Headers of a series that is written to a folder, read by `common.data.dicom.headers`."""
    paths = write_series(folder, hu, **options)
    return [{**headers.read(path), "path": str(path)} for path in paths]


def compress(path: Path, syntax: str) -> None:
    """Write a file anew in another transfer syntax."""
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), None
    reader.SetFileName(str(path))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
