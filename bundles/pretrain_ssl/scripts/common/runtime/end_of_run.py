# generated from common/runtime/end_of_run.py, do not edit: `make copies`
"""Ends a run with its peak memory, and repeats the lines that a long run has moved out of sight."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch
from monai.utils import optional_import

from .distributed import is_main_process
from .memory import peak_memory

if TYPE_CHECKING:
    from ignite.engine import Engine

Events, _ = optional_import("ignite.engine", name="Events")  # serving does without ignite

logger = logging.getLogger(__name__)

_lines: dict[str, None] = {}  # in the order in which they were said, each once


def warn_now_and_at_end(line: str) -> None:
    """Logs a warning, and logs the same line again when the run ends.

    Meant for what is said before hundreds of lines of other kinds, such as which files of a folder
    are left out. Where no `EndOfRun` is attached, the line is logged once.
    """
    logger.warning(line)
    _lines[line] = None


class EndOfRun:
    """Logs one line with the peak memory when an engine ends, and the lines kept for the end.

    They come after the lines of all other handlers; the error of images that failed comes behind.
    Attach it to the engine that ends last: the trainer, or the evaluator of an inference. On CUDA
    the memory is PyTorch's allocation on the device, on a CPU the process's resident set.
    """

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.started)

    def started(self, engine: Engine) -> None:
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        # added now, it runs after the handlers that were attached before the run
        if not engine.has_event_handler(self.completed, Events.COMPLETED):
            engine.add_event_handler(Events.COMPLETED, self.completed)

    def completed(self, engine: Engine) -> None:
        logger.info(f"peak memory {peak_memory(engine.state.device) / 2**30:.2f} GiB")
        if is_main_process():
            for line in _lines:
                logger.warning(line)
        _lines.clear()
