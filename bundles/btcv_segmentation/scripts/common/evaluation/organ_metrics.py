# generated from common/evaluation/organ_metrics.py, do not edit: `make copies`
"""Computes the metrics of one organ in one case."""

from collections.abc import Sequence

import numpy as np

from . import tables
from .surface_distance import hd95, nsd, surfaces

NAN = float("nan")


def dice(prediction: np.ndarray, reference: np.ndarray) -> float:
    """Computes 2 |P ∩ R| / (|P| + |R|) of bool masks of one shape; NaN for an empty reference."""
    if not reference.any():
        return NAN
    return float(2 * np.sum(prediction & reference) / (np.sum(prediction) + np.sum(reference)))


def organ_metrics(
    prediction: np.ndarray,
    reference: np.ndarray,
    spacing_mm: Sequence[float],
    tolerances_mm: Sequence[float],
) -> dict[str, float]:
    """Computes `dice`, `nsd_<tolerance>mm` for each tolerance, and `hd95_mm` of one organ.

    All metrics are NaN when the reference is empty. When the prediction alone is empty, Dice and
    NSD are 0 and HD95 is NaN: there is no surface to measure from.

    Args:
        prediction, reference: (X, Y, Z) bool.
        spacing_mm: distance of neighbouring voxels along each axis.
        tolerances_mm: tolerances of the NSD.
    """
    metrics = {"dice": round(dice(prediction, reference), 4)}
    columns = [tables.nsd_column(tolerance) for tolerance in tolerances_mm]
    if reference.any() and prediction.any():
        pair = surfaces(prediction, reference, spacing_mm)
        for column, tolerance in zip(columns, tolerances_mm):
            metrics[column] = round(nsd(pair, tolerance), 4)
        return metrics | {"hd95_mm": round(hd95(pair), 3)}
    return metrics | dict.fromkeys(columns, metrics["dice"]) | {"hd95_mm": NAN}
