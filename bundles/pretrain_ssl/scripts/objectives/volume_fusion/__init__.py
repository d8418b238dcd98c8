"""Trains by Volume Fusion: two crops of a volume are fused, and the shares are segmented.

Source: Wang et al., MIS-FM, arXiv 2306.16925, and the authors' later code in PyMIC. The network is
MONAI's SwinUNETR, so that the decoder is trained too.
"""

from .crops import FuseCrops, FuseWithMirroredd
from .fusion import FusionSettings
from .loss import FusionLoss
from .metrics import FusionMetrics
from .pictures import FusionPictures

__all__ = [
    "FuseCrops",
    "FuseWithMirroredd",
    "FusionLoss",
    "FusionMetrics",
    "FusionPictures",
    "FusionSettings",
]
