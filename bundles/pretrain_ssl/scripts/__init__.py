"""What the configs need and JSON cannot say; a config's `$import scripts` reaches all of it."""

from . import (
    command_line,
    figures,
    handlers,
    losses,
    network,
    nifti,
    run_folder,
    unlabelled,
    views,
    volumes,
    weights,
)

__all__ = [
    "command_line",
    "figures",
    "handlers",
    "losses",
    "network",
    "nifti",
    "run_folder",
    "unlabelled",
    "views",
    "volumes",
    "weights",
]
