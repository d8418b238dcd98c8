"""Holds the parts that several bundles need.

The originals lie in `common/`; `make copies` writes them into each bundle as `scripts/common/`.
"""

from pathlib import Path

BUNDLE = Path(__file__).resolve().parents[2]  # of a bundle's copy: the bundle's folder
