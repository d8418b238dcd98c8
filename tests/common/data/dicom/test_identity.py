"""Which identifiers of a series are trusted, and which tags contradict each other."""

import pytest

from common.data.dicom import identity

SOUND = {"patient": "P1", "study": "1.2.3", "uid": "1.2.4"}


def slices(**changed) -> list[dict]:
    """Headers of two slices of a sound series, with values changed in both."""
    return [SOUND | {"instance": f"1.2.4.{number}"} | changed for number in range(2)]


def test_a_sound_series_lacks_nothing():
    assert identity.find_missing(slices()) is None


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"patient": None}, "no PatientID"),
        ({"patient": None, "uid": None}, "no PatientID and no SeriesInstanceUID"),
        ({"uid": "ANONYMIZED"}, "SeriesInstanceUID is a placeholder"),
        ({"uid": "0"}, "SeriesInstanceUID is a placeholder"),
        ({"uid": "1.2.3"}, "SeriesInstanceUID is a placeholder"),
        ({"instance": None}, "no SOPInstanceUID"),
        ({"instance": "1.2.4.7"}, "SOPInstanceUID repeats"),
    ],
)
def test_what_is_missing_is_told(changed, words):
    assert identity.find_missing(slices(**changed)) == words


@pytest.mark.parametrize("name", identity.SHARED)
def test_a_tag_in_which_slices_differ_is_told(name):
    first, second = ({key: "1" for key in identity.SHARED} for _ in range(2))
    assert identity.find_contradiction([first, second]) is None
    second[name] = "2"
    assert identity.find_contradiction([first, second]).endswith(" has 2 values")
