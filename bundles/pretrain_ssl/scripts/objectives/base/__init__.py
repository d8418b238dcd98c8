"""Holds the parts that several pre-training objectives share."""

from .collapse_warning import CollapseWarning
from .encode import RestoringUNETR, encode
from .handlers import CropsTable, MetricsFile
from .inferers import ChunkInferer, ValidationInferer
from .loss import ObjectiveLoss
from .metrics import ObjectiveMetrics
from .pictures import PictureWriter, Triptychd, ValidationPictures
from .read_tokens import ReadTokens
from .reconstruction_head import ReconstructionHead

__all__ = [
    "ChunkInferer",
    "CollapseWarning",
    "CropsTable",
    "MetricsFile",
    "ObjectiveLoss",
    "ObjectiveMetrics",
    "PictureWriter",
    "ReadTokens",
    "ReconstructionHead",
    "RestoringUNETR",
    "Triptychd",
    "ValidationInferer",
    "ValidationPictures",
    "encode",
]
