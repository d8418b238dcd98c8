"""Draws a seeded sample of series, spread over collections and patients."""

from typing import TYPE_CHECKING

import numpy as np

from ...common.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def sample(
    series: "pd.DataFrame", max_series: int | None, max_gb: float | None, seed: int
) -> "pd.DataFrame":
    """Takes the first series in a seeded order, as many as fit both limits.

    Of one seed, a smaller sample is part of a larger one, so that studies of the corpus' size
    compare like with like (100, 3,000 and 5,050 volumes in Tang et al., CVPR 2022).

    Args:
        series: with `collection_id`, `PatientID`, `SeriesInstanceUID` and `series_size_MB`.
        max_series: number of series; None: no limit.
        max_gb: size in GB (10^9 bytes); None: no limit.
        seed: of the order.

    Raises:
        InputError: a limit is below one series.
    """
    if max_series is None and max_gb is None:
        return series
    series = _order(series, seed)
    if max_gb is not None:
        gb = series["series_size_MB"] / 1000
        if not max_gb >= gb.min():
            raise InputError(
                f"--max_gb {max_gb:g} holds none of the {len(series):,} series; "
                f"the smallest has {gb.min():.3g} GB."
            )
        series = series[gb <= max_gb]
        series = series[series["series_size_MB"].cumsum() / 1000 <= max_gb]
    return series if max_series is None else series.head(max_series)


def _order(series: "pd.DataFrame", seed: int) -> "pd.DataFrame":
    """Shuffles series by the seed, and orders them so that collections take turns.

    In each collection no patient has a second series before every patient has one.
    """
    ordered = series.sort_values("SeriesInstanceUID")  # whatever the order of the index's file
    ordered = ordered.iloc[np.random.default_rng(seed).permutation(len(ordered))]
    nth_of_patient = ordered.groupby(["collection_id", "PatientID"]).cumcount()
    turn = ordered.assign(nth=nth_of_patient).groupby(["collection_id", "nth"]).cumcount()
    order = np.lexsort((np.arange(len(ordered)), turn, nth_of_patient))
    return ordered.iloc[order]
