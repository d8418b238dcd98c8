"""Numbers of label files and channels of the network."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from common.segmentation import label_transforms

LABELS = {"0": "background", "200": "liver", "2": "spleen", "40": "lung"}


def label_map(*values: float) -> MetaTensor:
    affine = torch.diag(torch.tensor([2.0, 2.0, 3.0, 1.0]))
    return MetaTensor(
        torch.tensor(values).reshape(1, -1, 1, 1), affine, {"filename_or_obj": "/data/a.nii.gz"}
    )


def test_channels_follow_the_numbers():
    assert label_transforms.numbers_and_names(LABELS) == [
        (0, "background"),
        (2, "spleen"),
        (40, "lung"),
        (200, "liver"),
    ]


@pytest.mark.parametrize(
    "labels",
    [
        {},
        None,
        {"0": "background"},
        {"1": "spleen", "2": "liver"},
        {"0": "background", "256": "spleen"},
        {"0": "background", "-1": "spleen"},
        {"0": "background", "1": "spleen", "2": "spleen"},
        {"0": "background", "1": "spleen", "01": "liver"},
        {"0": "background", "one": "spleen"},
    ],
)
def test_labels_that_are_none_are_refused(refusal, labels):
    with refusal("mend them|below 0"):
        label_transforms.numbers_and_names(labels)


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.int16])
def test_a_file_becomes_channels_and_keeps_type_and_affine(dtype):
    given = label_map(200, 0, 2, 40, 2).to(dtype)
    made = label_transforms.LabelsToChannelsd("label", LABELS)({"label": given, "other": 1})
    assert made["label"].flatten().tolist() == [3, 0, 1, 2, 1] and made["other"] == 1
    assert made["label"].dtype == dtype and torch.equal(made["label"].affine, given.affine)
    assert made["label"].meta["filename_or_obj"] == "/data/a.nii.gz"
    assert given.flatten().tolist() == [200, 0, 2, 40, 2]


@pytest.mark.parametrize(
    ("values", "words"),
    [((0, 3), "holds 3, which"), ((0, 2.5, 201), r"holds 2\.5, 201, which"), ((-1,), "holds -1,")],
)
def test_a_value_without_a_label_is_refused_with_the_file(refusal, values, words):
    with refusal(f"/data/a.nii.gz {words}"):
        label_transforms.LabelsToChannelsd("label", LABELS)({"label": label_map(*values)})


def test_many_unknown_values_are_counted():
    assert label_transforms.in_words([1, 2, 3, 4, 5, 6, 7]) == "1, 2, 3, 4, 5 and 2 more"


def test_channels_become_the_files_numbers_again():
    channels = MetaTensor(torch.tensor([3, 0, 1, 2], dtype=torch.uint8).reshape(1, 2, 2, 1))
    made = label_transforms.ChannelsToLabelsd("pred", LABELS)({"pred": channels})["pred"]
    assert made.dtype == torch.uint8 and made.flatten().tolist() == [200, 0, 2, 40]
    assert channels.flatten().tolist() == [3, 0, 1, 2]


def test_numbers_that_are_channels_are_left_alone():
    channels = torch.ones(1, 2, 2, 2, dtype=torch.uint8)
    labels = {"0": "background", "1": "spleen"}
    assert (
        label_transforms.ChannelsToLabelsd("pred", labels)({"pred": channels})["pred"] is channels
    )


def test_unknown_values_of_a_map():
    assert label_transforms.unknown_values(np.array([0, 2, 7, 1.5]), LABELS) == [1.5, 7]


def test_weights_are_one_for_each_label_or_none(refusal):
    assert label_transforms.class_weights(None, LABELS, "cpu") is None
    assert label_transforms.class_weights([0.1, 1, 2, 3], LABELS, "cpu").tolist() == pytest.approx(
        [0.1, 1, 2, 3]
    )
    with refusal("class_weights are 2, labels 4; give one for each, or null"):
        label_transforms.class_weights([1, 1], LABELS, "cpu")


def test_values_near_a_label_show_the_digits_that_tell_them_apart():
    assert label_transforms.in_words([0.9999999, 1.5, 300]) == "0.9999999, 1.5, 300"
