"""Prepares labelled data for a segmentation."""

from .label_transforms import ChannelsToLabelsd, LabelsToChannelsd, class_weights
from .labelled_data import read_labelled_data, select
from .mean_dice import CaseMeanDice
from .previews import Previews
from .random_crops import check_turns, random_crops

__all__ = [
    "CaseMeanDice",
    "ChannelsToLabelsd",
    "LabelsToChannelsd",
    "Previews",
    "check_turns",
    "class_weights",
    "random_crops",
    "read_labelled_data",
    "select",
]
