"""Means of an evaluation by hand, what they leave out, and how that is told."""

from fractions import Fraction
from math import nan

import pandas as pd
import pytest

from common.evaluation import summary


def row(case, name, dice, hd95_mm, volume_ml=1.0, reference_volume_ml=1.0) -> dict:
    """One organ of one case; NSD is half of Dice."""
    return {
        "case": case,
        "label": {"spleen": 1, "liver": 6, "aorta": 8}[name],
        "name": name,
        "dice": dice,
        "nsd_1mm": dice / 2,
        "hd95_mm": hd95_mm,
        "volume_ml": volume_ml,
        "reference_volume_ml": reference_volume_ml,
    }


ROWS = pd.DataFrame(
    [
        row("a", "spleen", 0.9, 2.0),
        row("b", "spleen", 0.5, 6.0),
        row("c", "spleen", 0.0, nan, volume_ml=0.0),  # missed
        row("d", "spleen", nan, nan, reference_volume_ml=0.0),  # false positive
        row("e", "spleen", nan, nan, volume_ml=0.0, reference_volume_ml=0.0),
        row("a", "liver", 0.8, 1.0),
        row("a", "aorta", nan, nan, volume_ml=0.0, reference_volume_ml=0.0),
    ]
)


def test_figures_of_an_organ_are_those_of_the_cases_that_show_it():
    spleen = summary.summarise(ROWS)["organs"]["spleen"]
    assert spleen["label"] == 1 and spleen["cases"] == 5
    # Dice 0.9, 0.5 and 0: mean 1.4 / 3, sd √(((0.9 - m)² + (0.5 - m)² + m²) / 2)
    assert spleen["dice"] == {"count": 3, "mean": 0.466667, "sd": 0.450925, "median": 0.5}
    assert spleen["nsd_1mm"]["mean"] == 0.233333
    # HD95 2 and 6: the missed spleen has none
    assert spleen["hd95_mm"] == {"count": 2, "mean": 4.0, "sd": 2.828427, "median": 4.0}


def test_empty_masks_are_counted():
    found = summary.summarise(ROWS)
    assert [found["organs"]["spleen"][name] for name in summary.COUNTS] == [2, 1, 1]
    assert [found["organs"]["liver"][name] for name in summary.COUNTS] == [0, 0, 0]
    assert [found["organs"]["aorta"][name] for name in summary.COUNTS] == [1, 0, 0]
    assert [found["over_organs"][name] for name in summary.COUNTS] == [3, 1, 1]
    assert all(name in found["empty_masks"] for name in summary.COUNTS)


def test_regions_are_in_no_mean_and_the_highest_label_of_a_file_is():
    """A file of uint8 holds labels up to 255, so that regions begin at 256."""
    spleen, region = row("a", "spleen", 0.5, 2.0), row("a", "spleen", 0.9, 4.0)
    table = pd.DataFrame([spleen | {"label": 255}, region | {"label": 256, "name": "both"}])
    found = summary.summarise(table)
    assert found["dice"] == {"spleen": 0.5} and found["mean_dice"] == 0.5
    assert found["over_organs"]["hd95_mm"]["mean"] == 2.0
    assert list(found["organs"]) == ["spleen", "both"]


def test_each_organ_weighs_once_over_the_organs():
    found = summary.summarise(ROWS)
    assert found["cases"] == 5
    assert found["dice"] == {"spleen": 0.466667, "liver": 0.8, "aorta": None}
    assert found["mean_dice"] == pytest.approx((1.4 / 3 + 0.8) / 2, abs=1e-6)
    assert found["over_organs"]["hd95_mm"] == {
        "count": 2,
        "mean": 2.5,
        "sd": pytest.approx(3 / 2**0.5, abs=1e-4),
        "median": 2.5,
    }


@pytest.mark.parametrize(
    "values, expected",
    [
        ([], (0, None, None, None)),
        ([nan, None], (0, None, None, None)),
        ([2.0], (1, 2.0, None, 2.0)),
    ],
)
def test_spread_of_too_few_values(values, expected):
    assert tuple(summary.spread(values).values()) == expected


def test_the_table_shows_the_means_and_what_they_hide():
    assert summary.lines(summary.summarise(ROWS)) == [
        "spleen                       Dice 0.467  NSD 1mm 0.233  HD95   4.0 mm  "
        "missed in 1 of 3; no reference in 2 of 5, predicted all the same in 1",
        "liver                        Dice 0.800  NSD 1mm 0.400  HD95   1.0 mm",
        "aorta                        Dice -      NSD 1mm -      HD95     - mm  "
        "no reference in 1 of 1",
        "mean of the organs           Dice 0.633  NSD 1mm 0.317  HD95   2.5 mm",
        "the means leave out what a reference does not show",
        "an organ missed counts as Dice 0 and NSD 0, and is left out of the mean HD95",
    ]


def test_the_table_says_nothing_of_empty_masks_where_there_are_none():
    assert len(summary.lines(summary.summarise(ROWS.iloc[[0, 5]]))) == 3


def test_a_single_case_has_no_standard_deviation():
    spleen = summary.summarise(ROWS.iloc[:1])["organs"]["spleen"]
    assert spleen["dice"] == {"count": 1, "mean": 0.9, "sd": None, "median": 0.9}


def test_a_reference_that_is_empty_everywhere_has_no_mean():
    whole = summary.summarise(ROWS.iloc[[3, 4]])
    assert whole["mean_dice"] is None and whole["over_organs"]["empty_references"] == 2
    assert summary.lines(whole)[1].startswith("mean of the organs           Dice -")


def test_a_mean_does_not_depend_on_the_order_of_the_cases():
    values = [0.1234, 0.5678, 0.9012, 0.3456, 0.7891, 0.2345, 0.6789, 0.0120]
    expected = round(sum(map(Fraction, values)) / 8, 6)
    for turn in range(8):
        assert summary.spread(values[turn:] + values[:turn])["mean"] == float(expected)
