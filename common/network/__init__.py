"""Prepares Swin UNETR: fast attention, patch merging, the encoder's learning rate."""

from .encoder import freeze_encoder, parameter_groups
from .patch_merging import PatchMerging
from .prepare import prepare_network

__all__ = ["PatchMerging", "freeze_encoder", "parameter_groups", "prepare_network"]
