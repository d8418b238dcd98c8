"""A run that corrects headers otherwise than the training of its weights is told so."""

import pytest

from common.weights import orientation, preprocessing_of


@pytest.mark.parametrize("value", [True, False])
def test_each_side_has_its_own_words_and_the_remedy(value):
    notes = {"a.pt": {"msd_orientation": value}, "b.pt": {}, "c.pt": {"msd_orientation": value}}
    line = orientation.describe_other_orientation(notes, {"msd_orientation": not value})
    assert line.startswith(
        f"a.pt (and 1 more) was trained with msd_orientation {value}, and this run has {not value}"
    )
    assert "turned by 180 degrees" in line and line.endswith(f"or --msd_orientation {value}")


@pytest.mark.parametrize("of_file, of_run", [({}, True), (True, True), (True, {}), (False, False)])
def test_where_both_agree_or_one_does_not_tell_nothing_is_said(of_file, of_run):
    of_file, of_run = (v or {} if v == {} else {"msd_orientation": v} for v in (of_file, of_run))
    assert orientation.describe_other_orientation({"a.pt": of_file}, of_run) == ""


def test_the_note_has_the_value_and_none_where_there_is_none():
    assert preprocessing_of([], msd_orientation=False)["msd_orientation"] is False
    assert "msd_orientation" not in preprocessing_of([])
