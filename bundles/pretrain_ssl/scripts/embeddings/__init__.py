"""Computes an embedding of each volume with the encoder alone, writes their table, probes it."""

from .encoder_of_file import EncoderOfFile
from .table import EmbeddingTable, embedding

__all__ = ["EmbeddingTable", "EncoderOfFile", "embedding"]
