"""What is measured: labels in the order of their numbers, then regions."""

import pytest

from common.evaluation.organs import list_organs

LABELS = {"0": "background", "7": "core", "2": "edema"}


def test_labels_come_before_regions_and_channels_follow_the_numbers():
    organs = list_organs(LABELS, {"whole": [2, 7], "again": [7]})
    assert [(organ.number, organ.name, organ.channels) for organ in organs] == [
        (2, "edema", [1]),
        (7, "core", [2]),
        (256, "whole", [1, 2]),
        (257, "again", [2]),
    ]


@pytest.mark.parametrize("regions", [{"edema": [2]}, {"all": [2, 9]}, {"none": []}, {"x": [0, 2]}])
def test_regions_of_other_labels_are_refused(refusal, regions):
    with refusal("needs a name of its own and numbers of the labels .2, 7.; mend `regions`"):
        list_organs(LABELS, regions)
