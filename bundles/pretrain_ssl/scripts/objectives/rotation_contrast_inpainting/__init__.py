"""Pre-trains by rotation, contrast and inpainting: the paper's objective (section 3.2)."""

from .heads import ContrastiveHead, ReconstructionHead, RotationHead
from .loss import SSLLoss
from .metrics import SSLMetrics, batch_metrics
from .network import AllHeadsInferer, ChunkInferer, SSLNetwork
from .pictures import PictureWriter, Triptychd, ValidationPictures
from .validation_handlers import CollapseWarning, MetricsFile, ViewsTable
from .views import Cutoutd, TwoViews

__all__ = [
    "AllHeadsInferer",
    "ChunkInferer",
    "CollapseWarning",
    "ContrastiveHead",
    "Cutoutd",
    "MetricsFile",
    "PictureWriter",
    "ReconstructionHead",
    "RotationHead",
    "SSLLoss",
    "SSLMetrics",
    "SSLNetwork",
    "Triptychd",
    "TwoViews",
    "ValidationPictures",
    "ViewsTable",
    "batch_metrics",
]
