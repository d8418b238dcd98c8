"""Reads command lines: flags of `monai.bundle run`, and the commands of `python -m scripts`."""

from .flags import check_flags

__all__ = ["check_flags"]
