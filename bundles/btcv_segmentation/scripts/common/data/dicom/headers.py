# generated from common/data/dicom/headers.py, do not edit: `make copies`
"""Reads headers of DICOM files, and tells which slices belong to one series.

Terms and units as in DICOM PS3.3, C.7.6.2 (image plane) and C.8.2.1 (CT image).
"""

import json
import warnings
from pathlib import Path

import pydicom

from .volume import first_line

TAGS = {
    "patient": "PatientID",
    "study": "StudyInstanceUID",
    "uid": "SeriesInstanceUID",
    "instance": "SOPInstanceUID",
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
    "padding": "PixelPaddingValue",
}
NUMBERS = {"position", "orientation", "pixel_spacing"}
SAME_DIRECTION = 2  # decimals of a direction's cosines: half a degree


class BrokenError(Exception):
    """Reports a file that should be DICOM and cannot be read."""


def starts_without_preamble(head: bytes) -> bool:
    """Tells whether a file begins, as old exports do, with an element of group 0002 or 0008."""
    group, element = (int.from_bytes(head[i : i + 2], "little") for i in (0, 2))
    value_kind = head[4:6]
    is_explicit = value_kind.isalpha() and value_kind.isupper()
    return group in (0x0002, 0x0008) and element < 0x20 and (is_explicit or head[6:8] == b"\0\0")


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
    if value is None or value == "" or (hasattr(value, "__len__") and not len(value)):
        return None
    if name in NUMBERS:
        return [float(number) for number in value]
    if name in ("slope", "intercept"):
        return float(value)
    if name in ("rows", "columns", "samples", "frames", "padding"):
        return int(value)
    return str(value) if isinstance(value, str) else "\\".join(map(str, value))


def series_key(header: dict) -> str:
    """Returns the header values that all slices of one volume share, as text that sorts.

    Beside the series' UID these are the patient (careless exports reuse UIDs), the size, the
    orientation and the kind of picture: a localizer may share its series' UID.
    """
    directions = header["orientation"]
    if directions:
        directions = [round(cosine, SAME_DIRECTION) + 0.0 for cosine in directions]
    names = ("patient", "study", "uid", "modality", "rows", "columns", "pixel_spacing", "samples")
    shared = [header[name] for name in names]
    return json.dumps([*shared, directions, is_localizer(header)])


def is_localizer(header: dict) -> bool:
    """Tells whether a picture is an overview to plan the scan on (scout, topogram)."""
    return "LOCALIZER" in (header["image_type"] or "").upper()
