"""Says what a study's planned test has shown: rows of test.csv, a table, a sentence for each."""

from typing import Any

from .grid import Study
from .hypothesis import LEVEL, Comparison, fewest_pairs, shown_before
from .tables import aligned


def test_rows(study: Study, comparisons: list[Comparison]) -> list[dict[str, Any]]:
    """Returns the rows of test.csv: pairs, gain, its spread, p and corrected p of each level."""
    baseline = study.content["test"]["baseline"]
    return [
        {
            "compared": each.level,
            "baseline": baseline,
            "planned_pairs": len(each.planned),
            "pairs": len(each.pairs),
            "mean_gain": each.gains and each.gains.mean,
            "sd_gain": each.gains and each.gains.sd,
            "p": each.p,
            "holm_p": each.corrected,
        }
        for each in comparisons
    ]


def describe(study: Study, comparisons: list[Comparison]) -> str:
    """Describes the test: what it compares, a table, and a sentence for each comparison."""
    test = study.content["test"]
    cell = ", ".join(f"{name} {level}" for name, level in test["cell"].items())
    alternative, base = test["alternative"], test["baseline"]
    head = (
        f"Primary cell: {cell or 'all runs'}. Paired by {test['pairs']}, exact permutation test, "
        f"{'two-sided' if alternative == 'two-sided' else 'one-sided: only a gain counts'}, "
        f"Holm's correction over {len(comparisons)}. Every other cell is descriptive."
    )
    lines = [["", "pairs", f"gain over {base}", "p", "corrected p"]]
    for each in comparisons:
        numbers = ["-" if p is None else f"{p:.4f}" for p in (each.p, each.corrected)]
        gains = each.gains.text("+") if each.gains else "-"
        lines.append([each.level, f"{len(each.pairs)} of {len(each.planned)}", gains, *numbers])
    sentences = [sentence(each, base, len(comparisons), alternative) for each in comparisons]
    return "\n".join([head, "", aligned(lines), "", *sentences])


def sentence(each: Comparison, baseline: str, comparisons: int, alternative: str) -> str:
    """Says in words what a comparison has shown, how many pairs it has, and which are missing.

    Args:
        each: the comparison.
        baseline: the level that it is compared with.
        comparisons: number of all comparisons of the test.
        alternative: of the test.
    """
    missing = [pair for pair in each.planned if pair not in each.pairs]
    count = f"{len(each.pairs)} of {len(each.planned)} planned pairs"
    if missing:
        count += f" (missing: {', '.join(missing)})"
    fewest = fewest_pairs(1, alternative)
    if len(each.pairs) < fewest:
        return f"{each.level}: {count}; fewer than {fewest} can never reach {LEVEL}."
    better = sum(ours > base for ours, base in each.pairs.values())
    what = f"{each.gains.text('+')} over {baseline} in {count}, better in {better}"
    note = "; preliminary, pairs are missing" if missing else ""
    if each.corrected > LEVEL:
        verdict = "no difference is shown"
        before = shown_before(len(each.pairs), comparisons, alternative)
        if before:
            others = "another level is" if before == 1 else f"{before} other levels are"
            note += f"; {len(each.pairs)} pairs can reach {LEVEL} only where {others} shown"
    else:
        verdict = "a gain is shown" if each.gains.mean > 0 else "a loss is shown"
    return f"{each.level}: {what}: {verdict} (corrected p {each.corrected:.4f}){note}."
