"""Evaluates a segmentation: metrics of each case and label, their summary."""

from .evaluation_table import EvaluationTable

__all__ = ["EvaluationTable"]
