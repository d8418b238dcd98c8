"""Holds the loss, metrics, inferers and handlers that every pre-training objective shares."""

from .handlers import CropsTable, MetricsFile
from .inferers import ChunkInferer, ValidationInferer
from .loss import ObjectiveLoss
from .metrics import ObjectiveMetrics

__all__ = [
    "ChunkInferer",
    "CropsTable",
    "MetricsFile",
    "ObjectiveLoss",
    "ObjectiveMetrics",
    "ValidationInferer",
]
