"""What the configs need and JSON cannot say; a config's `$import scripts` reaches all of it."""

from . import command_line, losses, network, run_folder, views, volumes, weights

__all__ = ["command_line", "losses", "network", "run_folder", "views", "volumes", "weights"]
