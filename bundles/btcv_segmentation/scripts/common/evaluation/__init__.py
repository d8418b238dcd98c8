# generated from common/evaluation/__init__.py, do not edit: `make copies`
"""Evaluates a segmentation: metrics of each case and label, their summary."""

from .evaluation_table import EvaluationTable

__all__ = ["EvaluationTable"]
