# generated from common/training/__init__.py, do not edit: `make copies`
"""Keeps a training's checkpoints, resumes it exactly, and logs its metrics."""

from .checkpoint_handler import CheckpointHandler
from .checkpoint_state import keep_state
from .gradient_clipping import GradientClipping
from .metric_logging import MetricLogger
from .run_folder import open_run_folder
from .sawtooth_schedule import SawtoothSchedule

__all__ = [
    "CheckpointHandler",
    "GradientClipping",
    "MetricLogger",
    "SawtoothSchedule",
    "keep_state",
    "open_run_folder",
]
