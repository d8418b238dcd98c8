"""What the configs need and JSON cannot say; a config's `$import scripts` reaches all of it."""

from . import (
    attention,
    command_line,
    datalist,
    handlers,
    inference,
    kernels,
    labels,
    metrics,
    nifti,
    performance,
    run_folder,
    volumes,
    weights,
    windows,
)

__all__ = [
    "attention",
    "command_line",
    "datalist",
    "handlers",
    "inference",
    "kernels",
    "labels",
    "metrics",
    "nifti",
    "performance",
    "run_folder",
    "volumes",
    "weights",
    "windows",
]
