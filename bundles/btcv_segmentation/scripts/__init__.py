"""What the configs need and JSON cannot say; a config's `$import scripts` reaches all of it."""

from . import command_line, datalist, handlers, metrics, nifti, run_folder, volumes, weights

__all__ = [
    "command_line",
    "datalist",
    "handlers",
    "metrics",
    "nifti",
    "run_folder",
    "volumes",
    "weights",
]
