# generated from common/weights/__init__.py, do not edit: `make copies`
"""Loads checkpoints of every known layout, and describes their contents."""

from .load import load_weights
from .note_from_transforms import preprocessing_of
from .preprocessing_note import attach_metadata
from .pretrained import load_pretrained

__all__ = ["attach_metadata", "load_pretrained", "load_weights", "preprocessing_of"]
