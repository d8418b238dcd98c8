"""Draws phantoms: CT and MR images with labels, for trying things out.

Tests and other tools use the functions here.
"""

from .cases import case_rng, phantom_ct
from .commands import btcv, corpus, msd

__all__ = ["btcv", "case_rng", "corpus", "msd", "phantom_ct"]
