"""DICOM series for tests, written slice by slice as a scanner's export has them."""

from collections.abc import Callable
from pathlib import Path

import gdcm
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

INTERCEPT = -1024


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


def write_series(
    folder: Path,
    hu: np.ndarray,
    spacing_mm=(3.0, 3.0, 3.0),
    change: Callable[[Dataset, int], None] | None = None,
    name: Callable[[int], str] = "{:04d}.dcm".format,
    tilt_degrees: float = 0.0,
    syntax: str | None = None,
    **tags,
) -> list[Path]:
    """Write a series.

    Args:
        folder: made if need be.
        hu: (X, Y, Z), RAS: x to the patient's right... as NIfTI has it; written as LPS.
        spacing_mm: between voxel centres.
        change: alters a slice's data set; gets it and the slice's number, 0 at the feet.
        name: of a slice's file by its number.
        tilt_degrees: of the gantry, about the patient's left-right axis.
        syntax: UID of a compressed transfer syntax.
        tags: of every slice, such as PatientID; None removes one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    planes = hu[::-1, ::-1].transpose(2, 1, 0)  # (Z, rows, columns), LPS
    uids = {"SeriesInstanceUID": generate_uid(), "StudyInstanceUID": generate_uid()}
    angle, paths = np.radians(tilt_degrees), []
    for number, plane in enumerate(planes):
        dataset = _slice(plane, spacing_mm)
        dataset.ImagePositionPatient = [0, 0, float(number * spacing_mm[2])]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, float(np.cos(angle)), float(np.sin(angle))]
        for tag, value in ({"PatientID": "patient"} | uids | tags).items():
            setattr(dataset, tag, value)
            if value is None:
                delattr(dataset, tag)
        if change:
            change(dataset, number)
        paths.append(folder / name(number))
        dataset.save_as(paths[-1], enforce_file_format=True)
        if syntax:
            compress(paths[-1], syntax)
    return paths


def _slice(plane: np.ndarray, spacing_mm) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.Rows, dataset.Columns = plane.shape
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.PixelSpacing = [float(spacing_mm[1]), float(spacing_mm[0])]
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, INTERCEPT
    dataset.PixelData = (np.maximum(plane, INTERCEPT) - INTERCEPT).astype(np.uint16).tobytes()
    return dataset


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
