"""Trains by restoring hidden units of a crop: masked image modelling."""

from .loss import MaskedLoss
from .metrics import MaskedMetrics
from .network import MaskedNetwork, MaskedUNETR, build_network
from .units import HideUnits, HideUnitsd

__all__ = [
    "HideUnits",
    "HideUnitsd",
    "MaskedLoss",
    "MaskedMetrics",
    "MaskedNetwork",
    "MaskedUNETR",
    "build_network",
]
