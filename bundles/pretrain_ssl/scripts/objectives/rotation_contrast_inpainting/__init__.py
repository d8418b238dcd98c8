"""Trains by rotation, contrast and inpainting: the paper's objective (section 3.2)."""

from .heads import ContrastiveHead, RotationHead
from .loss import SSLLoss
from .metrics import SSLMetrics
from .network import SSLNetwork
from .views import Cutoutd, TwoViews

__all__ = [
    "ContrastiveHead",
    "Cutoutd",
    "RotationHead",
    "SSLLoss",
    "SSLMetrics",
    "SSLNetwork",
    "TwoViews",
]
