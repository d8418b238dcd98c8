"""Trains by telling where in its volume a crop lies, alone or beside another objective.

Source: the second, spatial task of the topology- and spatiality-aware masked autoencoder (arXiv
2406.10519): centre and eight corners of a crop. Its first task, of topology, is not here.
"""

from .alone import LocatedCrops, NoLoss, NoMetrics, PositionNetwork
from .batch import PositionBatch
from .loss import PositionLoss
from .metrics import PositionMetrics
from .network import PositionHead, add_head
from .pictures import DrawBoxesd, LocateCrops
from .wrap import ObjectiveParts, wrap

__all__ = [
    "DrawBoxesd",
    "LocateCrops",
    "LocatedCrops",
    "NoLoss",
    "NoMetrics",
    "ObjectiveParts",
    "PositionBatch",
    "PositionHead",
    "PositionLoss",
    "PositionMetrics",
    "PositionNetwork",
    "add_head",
    "wrap",
]
