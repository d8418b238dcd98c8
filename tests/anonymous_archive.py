"""Series whose identifiers an anonymiser has removed or set to one value, and what becomes of them.

`EXPECTED` is by source: what the repairs of an accepted volume begin with, or `Reason(…)`, what the
reason of a rejection begins with. `SEEDS` is by source the body whose voxels the volume has.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from dicom_series import body
from pydicom.uid import generate_uid

from tools.phantom.dicom import write_series


class Reason(str):
    """The beginning of a rejection."""


NOT_JOINED = "not put together with 1 other folders of its UID: "
CONTRADICTION = "slices that contradict each other: "
FOLDER = "its folder and InstanceNumber are taken for one series"
EXPECTED = {
    "placeholder/a": f"SeriesInstanceUID is a placeholder: {FOLDER}",
    "placeholder/b": f"SeriesInstanceUID is a placeholder: {FOLDER}",
    "stacked/a": f"{NOT_JOINED}InstanceNumber repeats",
    "stacked/b": f"{NOT_JOINED}InstanceNumber repeats",
    "interleaved/a": f"{NOT_JOINED}InstanceNumber repeats",
    "interleaved/b": f"{NOT_JOINED}InstanceNumber repeats",
    "counted_instances/a": f"{NOT_JOINED}SOPInstanceUID repeats",
    "counted_instances/b": f"{NOT_JOINED}SOPInstanceUID repeats",
    "two_patients/a": f"{NOT_JOINED}PatientID has 2 values",
    "two_patients/b": f"{NOT_JOINED}PatientID has 2 values",
    "two_frames/a": f"{NOT_JOINED}FrameOfReferenceUID has 2 values",
    "two_frames/b": f"{NOT_JOINED}FrameOfReferenceUID has 2 values",
    "no_identifiers/a": f"no PatientID and no StudyInstanceUID and no SeriesInstanceUID: {FOLDER}",
    "no_identifiers/b": f"no PatientID and no StudyInstanceUID and no SeriesInstanceUID: {FOLDER}",
    "one_folder/stacked": Reason(f"{CONTRADICTION}InstanceNumber repeats at other positions"),
    "one_folder/interleaved": Reason(f"{CONTRADICTION}InstanceNumber repeats at other positions"),
    "one_folder/same_positions": Reason("several volumes in one: up to 2 slices at one position"),
    "one_folder/patients": Reason(f"{CONTRADICTION}PatientID has 2 values"),
    "one_folder/birth_dates": Reason(f"{CONTRADICTION}PatientBirthDate has 2 values"),
    "one_folder/studies": Reason(f"{CONTRADICTION}StudyInstanceUID has 2 values"),
    "one_folder/sizes": Reason(f"{CONTRADICTION}Rows has 2 values"),
    "one_folder/patient_of_some": Reason(f"{CONTRADICTION}PatientID has 2 values"),
    "nothing": Reason("no identity: no PatientID, and InstanceNumber does not follow"),
    "one_instance": f"SOPInstanceUID repeats: {FOLDER}",
    "series_of_each_slice": Reason("no identity: each of 24 slices has a SeriesInstanceUID"),
    "spread/part_1 + spread/part_2": "",
    "spread_with_a_gap/part_1 + spread_with_a_gap/part_2": Reason("missing slices: 1 of 3.00 mm"),
    "rounded_orientation": "orientation or spacing differ by rounding: their median is taken",
    "rounded_spacing": "orientation or spacing differ by rounding: their median is taken",
    "turned": Reason(f"{CONTRADICTION}ImageOrientationPatient differs by up to 0.02"),
    "stretched": Reason(f"{CONTRADICTION}PixelSpacing differs by up to 1.00%"),
}
UIDS = {"SeriesInstanceUID": "1.2.3.4", "StudyInstanceUID": "1.2.3.5", "PatientID": "anonymous"}
NO_UIDS = dict.fromkeys(UIDS)
PLACEHOLDER = UIDS | {"StudyInstanceUID": "1.2.3.4"}
SEEDS = {source: 100 + number for number, source in enumerate(EXPECTED)}


def build(root: Path) -> Path:
    """Write the archive below a folder and return the folder."""

    def write(source: str, change=None, tags=UIDS, **options) -> list[Path]:
        uid = generate_uid() if tags is UIDS else tags["SeriesInstanceUID"]
        tags = tags | {"SeriesInstanceUID": uid} | options.pop("more", {})
        return write_series(
            root / source, body(seed=SEEDS[source]), change=change, **tags, **options
        )

    for name, tags, above in (
        ("placeholder", PLACEHOLDER, _stacked),
        ("stacked", UIDS | {"SeriesInstanceUID": "1.2.3.6"}, _stacked),
        ("interleaved", UIDS | {"SeriesInstanceUID": "1.2.3.7"}, _interleaved),
        ("no_identifiers", NO_UIDS, _stacked),
    ):
        write(f"{name}/a", tags=tags)
        write(f"{name}/b", above, tags)
    uid = {"SeriesInstanceUID": "1.2.3.8"}
    write("counted_instances/a", _counted(0), UIDS | uid)
    write("counted_instances/b", _counted(24), UIDS | uid)
    for name, tag in (("two_patients", "PatientID"), ("two_frames", "FrameOfReferenceUID")):
        for value, part in enumerate("ab", start=1):
            uid = {"SeriesInstanceUID": f"1.2.3.9.{len(name)}"}
            write(f"{name}/{part}", _continued(24 * (value - 1)), UIDS | uid | {tag: f"1.{value}"})
    _one_folder(root / "one_folder")
    write("nothing", more={"PatientID": None, "InstanceNumber": None})
    write("one_instance", more={"SOPInstanceUID": "1.2.3"})
    write("series_of_each_slice", _own_series)
    _spread(root)
    write("rounded_orientation", _rounded_orientation)
    write("rounded_spacing", _rounded_spacing)
    write("turned", lambda data, n: _set(data, ImageOrientationPatient=_turned(0.02 * (n % 2))))
    write("stretched", lambda data, n: _set(data, PixelSpacing=[3 + 0.03 * (n == 7), 3]))
    return root


def seeds_in(source: str) -> list[int]:
    """Seeds of the bodies in a folder of `one_folder`."""
    return [SEEDS[f"one_folder/{source}"], SEEDS[f"one_folder/{source}"] + 1000]


def _one_folder(folder: Path) -> None:
    """Two people in a folder, under one series' UID."""
    for name, change, tag, values in (
        ("stacked", _stacked, "PatientID", ["anonymous"] * 2),
        ("interleaved", _interleaved, "PatientID", ["anonymous"] * 2),
        ("same_positions", None, "PatientID", ["anonymous"] * 2),
        ("patients", _continued(24), "PatientID", ["1", "2"]),
        ("birth_dates", _continued(24), "PatientBirthDate", ["19500101", "19600101"]),
        ("studies", _continued(24), "StudyInstanceUID", ["1.2.1", "1.2.2"]),
        ("sizes", _continued(24), "PatientID", ["anonymous"] * 2),
        ("patient_of_some", _continued(24), "PatientID", ["anonymous", ""]),
    ):
        tags = UIDS | {"SeriesInstanceUID": generate_uid()}
        for number, (seed, value) in enumerate(zip(seeds_in(name), values)):
            rows = slice(0, 32 if name == "sizes" and number else None)
            write_series(
                folder / name,
                body(seed=seed)[:, rows],
                change=change if number else None,
                name=f"{number}_{{:04d}}.dcm".format,
                **tags | {tag: value},
            )


def _spread(root: Path) -> None:
    for name in ("spread", "spread_with_a_gap"):
        seed = SEEDS[f"{name}/part_1 + {name}/part_2"]
        paths = write_series(root / name / "part_1", body(seed=seed))
        (root / name / "part_2").mkdir()
        for path in paths[10:]:
            path.rename(root / name / "part_2" / path.name)
    (root / "spread_with_a_gap/part_2/0010.dcm").unlink()


def _set(dataset, **tags) -> None:
    for tag, value in tags.items():
        setattr(dataset, tag, value)


def _stacked(dataset, number: int) -> None:
    _set(dataset, ImagePositionPatient=[0, 0, 3.0 * (number + 24)])


def _interleaved(dataset, number: int) -> None:
    _set(dataset, ImagePositionPatient=[0, 0, 3.0 * number + 1.5])


def _continued(first: int) -> Callable:
    """Slices as those of one series would go on."""

    def change(dataset, number: int) -> None:
        z_mm = 3.0 * (number + first)
        _set(dataset, ImagePositionPatient=[0, 0, z_mm], InstanceNumber=number + first + 1)

    return change


def _counted(first: int) -> Callable:
    """SOPInstanceUIDs that an anonymiser counts anew in each folder."""

    def change(dataset, number: int) -> None:
        _continued(first)(dataset, number)
        _set(dataset, SOPInstanceUID=f"1.2.{number}")

    return change


def _own_series(dataset, number: int) -> None:
    _set(dataset, SeriesInstanceUID=generate_uid())


def _turned(sine: float) -> list[float]:
    return [float(np.sqrt(1 - sine**2)), sine, 0, -sine, float(np.sqrt(1 - sine**2)), 0]


def _rounded_orientation(dataset, number: int) -> None:
    _set(dataset, ImageOrientationPatient=_turned(0.00499 + 0.00002 * (number % 2)))


def _rounded_spacing(dataset, number: int) -> None:
    _set(dataset, PixelSpacing=[3 + 1e-6 * (number % 2), 3])
