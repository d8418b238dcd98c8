# generated from common/network/__init__.py, do not edit: `make copies`
"""Prepares Swin UNETR: fast attention, patch merging, the encoder's learning rate."""

from .encoder import encoder_parameters, freeze_encoder, parameter_groups
from .layer_decay import depth_groups
from .patch_merging import PatchMerging
from .prepare import prepare_network

__all__ = [
    "PatchMerging",
    "depth_groups",
    "encoder_parameters",
    "freeze_encoder",
    "parameter_groups",
    "prepare_network",
]
