"""Evaluates a segmentation: metrics of each case and label, their summary."""

from .metrics_handler import EvaluationTable

__all__ = ["EvaluationTable"]
