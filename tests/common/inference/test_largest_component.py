"""The largest component of each organ, by hand."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from common.inference import largest_component

LABELS = {"0": "background", "2": "spleen", "5": "liver", "9": "aorta"}


def three_organs() -> np.ndarray:
    """Channel 1 in pieces of 8 and 3 voxels, 2 in pieces of 4 and 1, 3 is absent."""
    volume = np.zeros((6, 6, 6), np.uint8)
    volume[:2, :2, :2] = 1
    volume[5, 5, 3:] = 1
    volume[3, :4, 0] = 2
    volume[5, 0, 5] = 2
    return volume


def test_smaller_pieces_become_background():
    volume = three_organs()
    kept = largest_component.largest_components(volume, [1, 2, 3])
    expected = volume.copy()
    expected[5, 5, 3:] = expected[5, 0, 5] = 0
    np.testing.assert_array_equal(kept, expected)
    np.testing.assert_array_equal(volume, three_organs())


def test_pieces_that_touch_at_a_corner_are_one():
    volume = np.zeros((4, 4, 4), np.uint8)
    volume[0, 0, 0] = volume[1, 1, 1] = volume[3, 3, 3] = 1
    kept = largest_component.largest_components(volume, [1])
    assert np.argwhere(kept).tolist() == [[0, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize(
    ("organs", "channels"),
    [("all", [1, 2, 3]), ([], []), (["liver", 9], [2, 3]), ("spleen", [1]), (5, [2])],
)
def test_organs_are_named_or_numbered_as_their_labels(organs, channels):
    assert largest_component.channels_of(organs, LABELS) == channels


def test_a_label_that_does_not_exist_is_refused(refusal):
    for unknown in ("kidney", 1, "background"):
        with refusal(f"--largest_component: no label {unknown}; there are spleen, liver, aorta"):
            largest_component.LargestComponentd("pred", [unknown], LABELS)


def test_the_step_changes_the_chosen_organs_alone():
    pred = MetaTensor(torch.from_numpy(three_organs())[None], meta={"filename_or_obj": "ct"})
    made = largest_component.LargestComponentd("pred", ["liver"], LABELS)({"pred": pred})["pred"]
    assert made.meta["filename_or_obj"] == "ct" and made.dtype == torch.uint8
    assert ((made == 1).sum(), (made == 2).sum()) == (11, 4)
    untouched = largest_component.LargestComponentd("pred", [], LABELS)({"pred": pred})["pred"]
    assert untouched is pred


def test_without_scipy_the_remedy_is_named(refusal, monkeypatch):
    monkeypatch.setattr(largest_component, "has_scipy", False)
    with refusal("pip install scipy"):
        largest_component.LargestComponentd("pred", "all", LABELS)
    largest_component.LargestComponentd("pred", [], LABELS)
