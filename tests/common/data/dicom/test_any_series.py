"""Whatever the tags hold: a right volume of one person, or one sentence."""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from spoiled_archive import without_preamble

from common.data.dicom import series_names
from common.errors import InputError
from tools.phantom.dicom import write_series

SLICES, STEP_MM, AIR_HU = 5, 3.0, -1024
TAGS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
VALUES = ("own", "constant", "absent", "empty")
OUTSIDE = 60000 + AIR_HU  # HU of the padding that no body has


@dataclass
class Scan:
    """Holds what an archive was drawn to be."""

    tags: dict[str, str]  # by tag one of VALUES, alike for both people as an anonymiser does it
    one_study_and_series: bool
    series: str  # "of the person", or "of each slice"
    instances: str
    numbers: str
    places: str  # of the second person's slices
    layout: str
    turned: float  # of every other slice
    stretched: float
    gap: bool
    repeat: bool
    padding: int | None  # HU
    syntax: str
    preamble: bool
    birth_dates: bool

    @property
    def people(self) -> int:
        return 2 if self.layout.startswith("two people") else 1


def mostly(usual, *others) -> st.SearchStrategy:
    """The usual value more often than the others, so that few things are odd at a time."""
    return st.sampled_from([usual] * 10 * len(others) + list(others))


SCANS = st.builds(
    Scan,
    tags=st.one_of(
        *(st.just(dict.fromkeys(TAGS, value)) for value in VALUES[:3]),
        st.fixed_dictionaries({tag: st.sampled_from(VALUES) for tag in TAGS}),
    ),
    one_study_and_series=mostly(False, True),
    series=mostly("of the person", "of each slice"),
    instances=mostly("unique", "constant", "absent", "counted"),
    numbers=st.sampled_from(["rising", "rising", "falling", "absent", "constant", "continued"]),
    places=st.sampled_from(["same", "above", "between"]),
    layout=st.sampled_from(["one", "split", "two people, one folder", "two people, two folders"]),
    turned=mostly(0, 1e-6, 5e-4, 2e-2),
    stretched=mostly(0, 1e-6, 1e-2),
    gap=mostly(False, True),
    repeat=mostly(False, True),
    padding=st.sampled_from([None, AIR_HU, 0, OUTSIDE]),
    syntax=st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian]),
    preamble=st.booleans(),
    birth_dates=mostly(False, True),
)


def picture(person: int, number: int) -> np.ndarray:
    """The voxels of a slice, unlike those of any other: (X, Y) HU."""
    hu = np.arange(64).reshape(8, 8) * 3 + 300 * number + 2000 * person - 900
    hu[:2] = OUTSIDE
    hu[2] = 0
    return hu


def expected(scan: Scan, person: int, number: int) -> np.ndarray:
    """The slice as it should be read."""
    hu = picture(person, number)
    return np.where(hu == OUTSIDE, AIR_HU, hu) if scan.padding == OUTSIDE else hu


def write(root: Path, scan: Scan) -> None:
    uids = {tag: generate_uid() for tag in TAGS} | {"SOPInstanceUID": generate_uid()}
    for person in range(scan.people):
        _write_person(root, scan, person, uids)
    if not scan.preamble:
        without_preamble(sorted(root.rglob("*.dcm")))


def _write_person(root: Path, scan: Scan, person: int, constant: dict[str, str]) -> None:
    values = {"own": {tag: generate_uid() for tag in TAGS}, "constant": constant}
    tags = {
        tag: {"absent": None, "empty": ""}.get(kind, values.get(kind, {}).get(tag))
        for tag, kind in scan.tags.items()
    }
    if scan.one_study_and_series:
        tags["StudyInstanceUID"] = tags["SeriesInstanceUID"]
    if scan.birth_dates:
        tags["PatientBirthDate"] = f"19{50 + person}0101"

    def change(dataset, number: int) -> None:
        first = person * SLICES if scan.numbers == "continued" else 0
        offset = {"same": 0, "above": SLICES, "between": 0.5}[scan.places]
        dataset.ImagePositionPatient = [0, 0, STEP_MM * (number + person * offset)]
        turned, odd = scan.turned * (number % 2), number % 2
        dataset.ImageOrientationPatient = [1, turned, 0, -turned, 1, 0]
        dataset.PixelSpacing = [STEP_MM * (1 + scan.stretched * odd), STEP_MM]
        dataset.InstanceNumber = SLICES - number if scan.numbers == "falling" else number + first
        if scan.numbers in ("absent", "constant"):
            dataset.InstanceNumber = None if scan.numbers == "absent" else 1
        instances = {"constant": constant["SOPInstanceUID"], "counted": f"1.2.{number}"}
        if scan.instances in instances:
            dataset.SOPInstanceUID = instances[scan.instances]
        elif scan.instances == "absent":
            del dataset.SOPInstanceUID
        if scan.series == "of each slice":
            dataset.SeriesInstanceUID = generate_uid()
        if scan.padding is not None:
            dataset.add_new("PixelPaddingValue", "US", scan.padding - AIR_HU)
        dataset.file_meta.TransferSyntaxUID = scan.syntax

    hu = np.stack([picture(person, number) for number in range(SLICES)], axis=-1)
    folder = root / ("a" if scan.layout.endswith("one folder") else "ab"[person])
    name = f"{person}_{{:02d}}.dcm".format
    paths = write_series(folder, hu, (STEP_MM,) * 3, change, name, **tags)
    if scan.repeat:
        (folder / f"{person}_copy.dcm").write_bytes(paths[1].read_bytes())
    if scan.gap:
        paths[2].unlink()
    if scan.layout == "split":
        (root / "b").mkdir()
        for path in paths[3:]:
            path.rename(root / "b" / path.name)


def nothing_tells_them_apart(scan: Scan) -> bool:
    """Two people's slices in one folder that differ in no tag, and fit each other's positions."""
    together = scan.layout == "two people, one folder" and scan.series == "of the person"
    same = "own" not in scan.tags.values() and not scan.birth_dates and scan.places != "same"
    all_there = set(scan.tags.values()) == {"constant"} and not scan.one_study_and_series
    believed = (
        all_there and scan.instances == "unique" and scan.numbers not in ("rising", "falling")
    )
    continued = scan.numbers == "continued" and scan.places == "above"
    return together and same and (believed or continued)


def is_intact(scan: Scan) -> bool:
    """Series as scanners write them, whose slices differ by rounding at most."""
    identified = set(scan.tags.values()) == {"own"} and not scan.one_study_and_series
    numbered = scan.instances == "unique" and scan.numbers in ("rising", "falling", "continued")
    even = scan.turned < 1e-3 and scan.stretched < 1e-3 and not scan.gap
    return identified and numbered and even and scan.series == "of the person"


class Lines(logging.Handler):
    """Collects what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(scan=SCANS)
def test_any_series_is_one_persons_volume_or_one_sentence(scan):
    assume(not nothing_tells_them_apart(scan))
    logger, lines = logging.getLogger("common"), Lines()
    logger.addHandler(lines)
    try:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), scan)
            names = series_names.find_series(folder)
            assert names
            counts = [count_slices(name, scan, lines) for name in names]
            assert not is_intact(scan) or counts == [SLICES] * scan.people
    finally:
        logger.removeHandler(lines)


def count_slices(name: str, scan: Scan, lines: Lines) -> int:
    """Reads a series and checks that it is of one person; 0 where one sentence refuses it."""
    try:
        values, affine = series_names.read_named_series(name)
    except InputError as error:
        assert str(error).startswith(name) and "\n" not in str(error)
        return 0
    values = values[::-1, ::-1]  # LPS, as the affine says, to RAS
    known = {
        expected(scan, person, number).tobytes(): (person, number)
        for person in range(scan.people)
        for number in range(SLICES)
    }
    slices = [known[plane.astype(int).tobytes()] for plane in np.moveaxis(values, 2, 0)]
    assert len({person for person, _ in slices}) == 1, slices
    numbers = [number for _, number in slices]
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "missing slices"
    np.testing.assert_allclose(affine[2, 2], STEP_MM)
    if len(slices) < SLICES:
        assert lines.messages, "part of a series, and no word"
    return len(slices)
