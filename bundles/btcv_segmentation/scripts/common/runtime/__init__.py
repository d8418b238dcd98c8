# generated from common/runtime/__init__.py, do not edit: `make copies`
"""Runs a network on the device at hand: precision, memory, progress, processes."""

from ..atomic_write import check_writable
from .distributed import is_main_process, leave_sigterm_to_parent, seed_process
from .end_of_run import EndOfRun
from .evaluator import ContinueOnErrorEvaluator
from .memory import keep_freed_memory
from .precision import autocast_dtype
from .progress import ProgressBar

__all__ = [
    "ContinueOnErrorEvaluator",
    "EndOfRun",
    "ProgressBar",
    "autocast_dtype",
    "check_writable",
    "is_main_process",
    "keep_freed_memory",
    "leave_sigterm_to_parent",
    "seed_process",
]
