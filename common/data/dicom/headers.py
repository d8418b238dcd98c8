"""Reads headers of DICOM files, and sorts slices by their series.

Terms and units as in DICOM PS3.3, C.7.6.2 (image plane) and C.8.2.1 (CT image).
"""

import hashlib
import json
import warnings
from pathlib import Path

import pydicom

from .volume import first_line

TAGS = {
    "patient": "PatientID",
    "person": "PatientName",
    "birth_date": "PatientBirthDate",
    "sex": "PatientSex",
    "study": "StudyInstanceUID",
    "study_date": "StudyDate",
    "uid": "SeriesInstanceUID",
    "series_number": "SeriesNumber",
    "frame": "FrameOfReferenceUID",
    "manufacturer": "Manufacturer",
    "instance": "SOPInstanceUID",
    "number": "InstanceNumber",
    "modality": "Modality",
    "image_type": "ImageType",
    "rows": "Rows",
    "columns": "Columns",
    "samples": "SamplesPerPixel",
    "photometric": "PhotometricInterpretation",
    "frames": "NumberOfFrames",
    "position": "ImagePositionPatient",
    "orientation": "ImageOrientationPatient",
    "pixel_spacing": "PixelSpacing",
    "slope": "RescaleSlope",
    "intercept": "RescaleIntercept",
    "signed": "PixelRepresentation",  # without this tag pydicom takes a negative padding for large
    "padding": "PixelPaddingValue",
}
NUMBERS = {"position", "orientation", "pixel_spacing"}
INTEGERS = {"rows", "columns", "samples", "frames", "number", "signed", "padding"}
HASHED = {"person", "birth_date"}  # compared, never shown: no name is kept beside a corpus
VERSION = 2  # of the values that `read` returns
SINGLE_SLICES = "slices with a series' UID each"  # the key of such slices in a folder


class BrokenError(Exception):
    """Reports a file that should be DICOM and cannot be read."""


def read(path: Path) -> dict | None:
    """Reads the values of a file's header by the names of `TAGS`; None for a DICOMDIR.

    Raises:
        BrokenError: the file is unreadable, or ends before its series is named.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(
                path, force=True, stop_before_pixels=True, specific_tags=[*TAGS.values()]
            )
            values = {name: _to_json_value(name, dataset.get(tag)) for name, tag in TAGS.items()}
    except Exception as error:  # each element has its own ways of being damaged
        raise BrokenError(first_line(error)) from error
    if values["uid"] is None and values["modality"] is None and values["rows"] is None:
        media = str(getattr(dataset, "file_meta", {}).get("MediaStorageSOPClassUID", ""))
        if media.endswith("1.3.10"):  # the directory of a medium, named as it likes
            return None
        raise BrokenError("its header ends early")
    return values


def _to_json_value(name: str, value):
    """Converts a DICOM value to a JSON value; an absent or empty one becomes None."""
    if value is None or not str(value).strip() or (hasattr(value, "__len__") and not len(value)):
        return None
    if name in NUMBERS:
        return [float(number) for number in value]
    if name in ("slope", "intercept"):
        return float(value)
    if name in INTEGERS:
        return int(value)
    if name in HASHED:
        return hashlib.sha256(str(value).encode(errors="surrogateescape")).hexdigest()[:16]
    return str(value).strip() if isinstance(value, (str, int)) else "\\".join(map(str, value))


def series_key(header: dict) -> str:
    """Returns the header values by which a folder's slices are sorted into series, as text.

    These are the series' UID, and the kind of picture: a localizer may share its series' UID.
    Whether the slices of a key agree in all else is for `identity.check_identity`.
    """
    return json.dumps([header["uid"], header["modality"], is_localizer(header)])


def is_localizer(header: dict) -> bool:
    """Tells whether a picture is an overview to plan the scan on (scout, topogram)."""
    return "LOCALIZER" in (header["image_type"] or "").upper()


def is_multi_frame(header: dict) -> bool:
    """Tells whether a file holds several slices; some exports write that there is 1."""
    return (header["frames"] or 1) > 1
