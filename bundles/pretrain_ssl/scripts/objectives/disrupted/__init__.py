"""Trains by Disruptive Autoencoders: noise, low resolution and lost channels are undone.

Source: Valanarasu et al., arXiv 2307.16896, and the official code (Project-MONAI,
research-contributions, DAE). The network is a whole SwinUNETR, so that the decoder is trained too.
"""

from .crops import DisruptCrops, Disruptd, DisruptedCrops
from .loss import DisruptedLoss
from .metrics import DisruptedMetrics
from .network import DisruptedUNETR

__all__ = [
    "DisruptCrops",
    "Disruptd",
    "DisruptedCrops",
    "DisruptedLoss",
    "DisruptedMetrics",
    "DisruptedUNETR",
]
