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
TEST_KEYS = {"factor", "baseline", "cell", "pairs", "alternative"}
OPTIONAL_TEST_KEYS = {"levels"}


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
    if test["alternative"] not in SIDES:
        raise ValueError(f"the test's alternative is {' or '.join(SIDES)}.")


def compare(study: Study, rows: Iterable[dict[str, Any]]) -> list[Comparison]:
    """Compares the planned levels of the test's factor with the baseline, in the primary cell.

    Without `levels` in the test every other level of the factor is planned.

    Raises:
        SystemExit: there are too many pairs for every sign to be tried.
    """
    test = study.content["test"]
    cell, planned = {name: str(level) for name, level in test["cell"].items()}, {}
    score = {tuple(row[n] for n in study.content["factors"]): row[SCORE] for row in rows}
    found: dict[str, dict[str, float]] = {}
    for run in study.runs:
        if cell.items() <= run.items():
            level, pair = run[test["factor"]], run[test["pairs"]]
            planned.setdefault(level, []).append(pair)
            if tuple(run.values()) in score:
                found.setdefault(level, {})[pair] = score[tuple(run.values())]
    baseline = str(test["baseline"])
    levels = [str(level) for level in test.get("levels", planned)]
    comparisons = []
    for level in (level for level in planned if level in levels and level != baseline):
        ours, base = found.get(level, {}), found.get(baseline, {})
        pairs = {pair: (ours[pair], base[pair]) for pair in base if pair in ours}
        p = sign_flip_p(pairs.values(), test["alternative"]) if len(pairs) > 1 else None
        comparisons.append(Comparison(level, tuple(planned[level]), pairs, p))
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

    Raises:
        SystemExit: there are more than 20 pairs.
    """
    ours, base = np.transpose([*pairs])
    if len(ours) > MOST_PAIRS:
        raise SystemExit(f"{len(ours)} pairs are too many to try every sign; plan {MOST_PAIRS}.")
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
    """Returns how few pairs can reach 0.05, corrected, where every pair has one sign."""
    pairs = 1
    while comparisons * SIDES[alternative] / 2**pairs > LEVEL:
        pairs += 1
    return pairs
