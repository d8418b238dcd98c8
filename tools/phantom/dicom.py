"""Writes phantoms as DICOM series."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

INTERCEPT = -1024  # what is stored is HU from there, as most scanners do


def phantom_tags(spacing_mm: tuple[float, float, float]) -> dict[str, object]:
    """Returns the tags that a DICOM segmentation copies from its images, as of no patient.

    They are no default of `write_series`, since anonymous archives lack them and are read as well.
    """
    return {
        "PatientName": "Phantom^Generated",
        "PatientBirthDate": "",
        "PatientSex": "O",
        "StudyDate": "20000101",
        "StudyTime": "120000",
        "StudyID": "1",
        "StudyDescription": "generated phantom",
        "AccessionNumber": "",
        "ReferringPhysicianName": "",
        "SeriesNumber": 1,
        "SeriesDescription": "generated phantom, no patient",
        "Manufacturer": "phantom",
        "SliceThickness": spacing_mm[2],
        "FrameOfReferenceUID": generate_uid(),
    }


def write_series(
    folder: Path,
    hu: np.ndarray,
    spacing_mm=(3.0, 3.0, 3.0),
    change: Callable[[Dataset, int], None] | None = None,
    name: Callable[[int], str] = "{:04d}.dcm".format,
    tilt_degrees: float = 0.0,
    **tags,
) -> list[Path]:
    """Writes a series slice by slice, as a scanner's export has it; returns the files.

    Args:
        folder: made if need be.
        hu: (X, Y, Z) in RAS, as NIfTI has it; written as LPS.
        spacing_mm: between voxel centres.
        change: alters a slice's data set; gets it and the slice's number, 0 at the feet.
        name: of a slice's file by its number.
        tilt_degrees: of the gantry, about the patient's left-right axis.
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
        defaults = {"PatientID": "patient", "InstanceNumber": number + 1} | uids
        for tag, value in (defaults | tags).items():
            setattr(dataset, tag, value)
            if value is None:
                delattr(dataset, tag)
        if change:
            change(dataset, number)
        paths.append(folder / name(number))
        dataset.save_as(paths[-1], enforce_file_format=True)
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
