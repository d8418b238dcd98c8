"""Notes of a datalist: taken as they are, or refused with the image and what they take."""

import pytest

from common.segmentation.split_notes import SPLIT_KEYS, read_notes


def cases(note: str, *values) -> list[dict]:
    return [{"image": f"ct{n}.nii.gz", note: value} for n, value in enumerate(values)]


@pytest.mark.parametrize(
    ("note", "values"),
    [("fold", [0, 4, 2.0]), ("rank", [0, 7, 1000]), ("split_24_6", ["training", "validation"])],
)
def test_values_that_a_note_takes_are_read(note, values):
    assert read_notes(cases(note, *values), note) == values
    assert read_notes([{"image": "ct0.nii.gz"}], note) is read_notes([], note) is None


@pytest.mark.parametrize("note", SPLIT_KEYS)
@pytest.mark.parametrize("value", [-1, "a", None, True, 0.5, float("inf"), [], {}])
def test_any_other_value_is_refused_with_its_image(refusal, note, value):
    good = "training" if note == "split_24_6" else 0
    with refusal(f"ct1.nii.gz has {note} .* in the datalist; it takes {SPLIT_KEYS[note]}"):
        read_notes(cases(note, good, value), note)
