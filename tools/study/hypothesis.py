"""Tests the gain over a baseline in a study's primary cell: paired permutations, Holm's correction.

The configuration's `test` fixes, before any run, which runs are compared, and in which cell.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import permutation_test

from .grid import Study
from .results import SCORE, Spread

LEVEL = 0.05  # a corrected p of at most this counts as shown
MOST_PAIRS = 20  # a million signs; more would take minutes
SIDES = {"two-sided": 2, "greater": 1}


@dataclass(frozen=True)
class Comparison:
    """Holds the test of one level against the baseline.

    Args:
        level: that is compared.
        planned: names of the pairs, such as seeds, that the study has.
        pairs: score of the level and of the baseline by pair, of those that have been run.
        p: exact, in (0, 1]; None with fewer than two pairs.
        corrected: p by Holm over all planned comparisons; None as p.
    """

    level: str
    planned: tuple[str, ...]
    pairs: dict[str, tuple[float, float]] = field(default_factory=dict)
    p: float | None = None
    corrected: float | None = None

    @property
    def gains(self) -> Spread | None:
        pairs = self.pairs.values()
        return Spread(tuple(ours - base for ours, base in pairs)) if pairs else None


def check_test(test: dict[str, Any], factors: dict[str, Any]) -> None:
    """Checks that a configuration's `test` names factors and levels that exist, and one cell.

    Raises:
        ValueError: it does not; the sentence names what is wrong.
    """
    factor, pairs, cell = test["factor"], test["pairs"], test["cell"]
    for name in [factor, pairs, *cell]:
        if name not in factors:
            raise ValueError(f"the test knows no factor {name}; there are {', '.join(factors)}.")
    others = [name for name in factors if name not in (factor, pairs)]
    if factor == pairs or sorted(cell) != sorted(others):
        raise ValueError(
            "the test's cell needs one level of every factor but those of factor and pairs: "
            f"{', '.join(others) or 'none'}."
        )
    named = [(factor, level) for level in [test["baseline"], *test.get("levels", [])]]
    for name, level in [*named, *cell.items()]:
        if str(level) not in map(str, factors[name]):
            raise ValueError(f"the test's level {level} of {name} does not exist.")
    if str(test["baseline"]) in map(str, test.get("levels", [])):
        raise ValueError(f"the test compares {test['baseline']} with itself; mend levels.")


def planned_pairs(study: Study) -> dict[str, tuple[str, ...]]:
    """Lists the pairs that the study's runs give each planned level, in the primary cell.

    Without `levels` in the test every other level of the factor is planned.

    Raises:
        ValueError: a planned level has no pair with the baseline, since runs are left out, or more
            pairs than every sign can be tried for.
    """
    test = study.content["test"]
    factor, baseline = test["factor"], str(test["baseline"])
    cell = {name: str(level) for name, level in test["cell"].items()}
    by_level: dict[str, list[str]] = {}
    for run in (run for run in study.runs if cell.items() <= run.items()):
        by_level.setdefault(run[factor], []).append(run[test["pairs"]])
    base = by_level.get(baseline, [])
    levels = list(map(str, study.content["factors"][factor]))
    named = list(map(str, test.get("levels", levels)))
    planned = {
        level: tuple(pair for pair in by_level.get(level, []) if pair in base)
        for level in levels
        if level in named and level != baseline
    }
    for level, pairs in planned.items():
        if not pairs:
            raise ValueError(
                f"the test has no pair of {level} and {baseline} in its cell, since leave_out "
                "leaves their runs out; mend leave_out, or list other levels in the test."
            )
        if len(pairs) > MOST_PAIRS:
            raise ValueError(
                f"the test has {len(pairs)} pairs, too many to try every sign; plan {MOST_PAIRS}."
            )
    return planned


def compare(study: Study, rows: Iterable[dict[str, Any]]) -> list[Comparison]:
    """Compares the planned levels of the test's factor with the baseline, in the primary cell."""
    test, factors = study.content["test"], study.content["factors"]
    scores = {tuple(str(row[name]) for name in factors): row[SCORE] for row in rows}
    cell = {name: str(level) for name, level in test["cell"].items()}

    def score(level: str, pair: str) -> float | None:
        run = cell | {test["factor"]: level, test["pairs"]: pair}
        return scores.get(tuple(run[name] for name in factors))

    comparisons = []
    for level, planned in planned_pairs(study).items():
        found = {pair: (score(level, pair), score(str(test["baseline"]), pair)) for pair in planned}
        pairs = {pair: values for pair, values in found.items() if None not in values}
        p = sign_flip_p(pairs.values(), test["alternative"]) if len(pairs) > 1 else None
        comparisons.append(Comparison(level, planned, pairs, p))
    corrected = holm([each.p for each in comparisons])
    return [
        Comparison(each.level, each.planned, each.pairs, each.p, value)
        for each, value in zip(comparisons, corrected)
    ]


def sign_flip_p(pairs: Iterable[tuple[float, float]], alternative: str) -> float:
    """Computes the exact p of the mean difference of pairs, over all 2^n signs (scipy's).

    Args:
        pairs: score of the compared level and of the baseline, of 2 to 20 pairs.
        alternative: "two-sided", or "greater": only a gain counts.
    """
    ours, base = np.transpose([*pairs])
    return permutation_test(
        (ours, base),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
        batch=2**14,
        alternative=alternative,
    ).pvalue


def holm(values: list[float | None]) -> list[float | None]:
    """Corrects p values by Holm (1979); None, not tested yet, stays and counts as the largest."""
    order = sorted((p, index) for index, p in enumerate(values) if p is not None)
    corrected: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (p, index) in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * p))
        corrected[index] = largest
    return corrected


def fewest_pairs(comparisons: int, alternative: str) -> int:
    """Returns how few pairs, all of one sign, reach 0.05 if Holm multiplies by `comparisons`.

    That is the number of all comparisons for the smallest p, one less for the next, 1 for the last.
    """
    pairs = 1
    while comparisons * SIDES[alternative] / 2**pairs > LEVEL:
        pairs += 1
    return pairs


def shown_before(pairs: int, comparisons: int, alternative: str) -> int:
    """Returns how many other levels must be shown with a smaller p, so that this one can be.

    Args:
        pairs: of this level, enough to reach 0.05 without a correction.
        comparisons: of the test.
        alternative: of the test.
    """
    return next(
        before
        for before in range(comparisons)
        if fewest_pairs(comparisons - before, alternative) <= pairs
    )
