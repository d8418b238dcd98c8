"""Trains a masked student to agree with a momentum teacher that sees the whole crop."""

from .batch import DistilledBatch
from .heads import PrototypeHead
from .loss import DistilledLoss
from .metrics import DistilledMetrics
from .momentum import MomentumUpdate
from .network import DistilledNetwork
from .teacher import Teacher

__all__ = [
    "DistilledBatch",
    "DistilledLoss",
    "DistilledMetrics",
    "DistilledNetwork",
    "MomentumUpdate",
    "PrototypeHead",
    "Teacher",
]
