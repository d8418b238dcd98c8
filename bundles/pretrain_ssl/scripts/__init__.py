"""What the configs need and JSON cannot say; a config's `$import scripts` reaches all of it."""

from . import (
    attention,
    command_line,
    figures,
    handlers,
    kernels,
    losses,
    network,
    nifti,
    performance,
    pictures,
    run_folder,
    unlabelled,
    views,
    volumes,
    weights,
    windows,
)

__all__ = [
    "attention",
    "command_line",
    "figures",
    "handlers",
    "kernels",
    "losses",
    "network",
    "nifti",
    "performance",
    "pictures",
    "run_folder",
    "unlabelled",
    "views",
    "volumes",
    "weights",
    "windows",
]
