"""The planned test of a study: exact p by hand, Holm's correction, what is missing, its words."""

import copy
import csv
import json
from pathlib import Path

import pytest
import study_stub

from common.errors import InputError
from tools.study.commands import show
from tools.study.config import read_study
from tools.study.grid import Study
from tools.study.hypothesis import compare, fewest_pairs, holm, shown_before, sign_flip_p
from tools.study.verdict import describe

PLAN = {
    **{"factor": "start", "baseline": "scratch", "cell": {"value": 0.25}},
    **{"pairs": "seed", "alternative": "two-sided"},
}
SEEDS = 9
STARTS = ("scratch", "a", "b")


def a_study(
    folder: Path, leave_out: list | None = None, seeds: int = SEEDS, starts=STARTS, **test
) -> Study:
    """Two starts against scratch, nine seeds at 0.25 and three at 0.5."""
    content = copy.deepcopy(study_stub.CONFIG)
    content["factors"] = {
        "start": {name: {"train": {"steps": {"a": i}}} for i, name in enumerate(starts)},
        "value": [0.25, 0.5],
        "seed": list(range(seeds)),
    }
    few = {"value": [0.5], "seed": list(range(3, seeds))}
    content["leave_out"] = [few, *(leave_out or [])]
    content["test"] = PLAN | test
    (folder / "study.json").write_text(json.dumps(content))
    return read_study(str(folder / "study.json"), str(folder / "out"), {})


def rows(study: Study, gains: dict[str, list[float]]) -> list[dict]:
    """Rows whose gains over scratch, which has 0.5, are given for the first seeds."""
    given = {"scratch": [0.0] * SEEDS} | gains
    runs = [run for run in study.runs if int(run["seed"]) < len(given[run["start"]])]
    return [run | {"mean_dice": 0.5 + given[run["start"]][int(run["seed"])]} for run in runs]


@pytest.mark.parametrize(
    ("gains", "two_sided", "one_sided"),
    [
        # The sums of all signs are ±0.35, ±0.25, ±0.15, ±0.05; this one is 0.25.
        ((0.1, 0.2, -0.05), 4 / 8, 2 / 8),
        ((0.01, 0.02, 0.03, 0.04, 0.05), 2 / 32, 1 / 32),
        ((-0.01, -0.02, -0.03), 2 / 8, 1.0),
        # Of 4 equal gains one is a loss: sums 4 (1 way), 2 (4), 0 (6), -2 (4), -4 (1); this is 2.
        ((0.1, 0.1, 0.1, -0.1), 10 / 16, 5 / 16),
        ((0.0, 0.0), 1.0, 1.0),
        ((0.01,) * 9, 2 / 512, 1 / 512),
    ],
)
def test_p_is_the_share_of_signs_that_give_as_much(gains, two_sided, one_sided):
    pairs = [(0.25 + gain, 0.25) for gain in gains]
    assert sign_flip_p(pairs, "two-sided") == pytest.approx(two_sided, abs=1e-12)
    assert sign_flip_p(pairs, "greater") == pytest.approx(one_sided, abs=1e-12)


def test_more_pairs_than_signs_can_be_tried_are_refused_before_anything_runs(tmp_path):
    assert len(a_study(tmp_path, seeds=20).runs) == 3 * (20 + 3)
    with pytest.raises(InputError, match="study.json: the test has 21 pairs, too many"):
        a_study(tmp_path, seeds=21)


@pytest.mark.parametrize("left_out", ["scratch", "a"])
@pytest.mark.parametrize("named", [{}, {"levels": ["a", "b"]}])
def test_a_level_without_runs_in_the_cell_is_refused(tmp_path, left_out, named):
    with pytest.raises(InputError, match="study.json: the test has no pair of a and scratch in"):
        a_study(tmp_path, [{"start": [left_out], "value": [0.25]}], **named)
    a_study(tmp_path, [{"start": ["a"], "value": [0.25]}], levels=["b"])


def test_pairs_are_planned_that_the_baseline_has_too(tmp_path):
    study = a_study(tmp_path, [{"start": ["scratch"], "seed": [8]}, {"start": ["b"], "seed": [0]}])
    a, b = compare(study, rows(study, {"a": [0.1] * 9, "b": [0.1] * 9}))
    assert a.planned == tuple(map(str, range(8))) and b.planned == tuple(map(str, range(1, 8)))
    assert (len(a.pairs), len(b.pairs)) == (8, 7)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.01, None, 0.02]) == pytest.approx([0.03, None, 0.04])  # still three planned


def test_how_many_pairs_can_reach_the_level_at_all():
    assert fewest_pairs(1, "two-sided") == 6 and fewest_pairs(1, "greater") == 5
    assert fewest_pairs(5, "two-sided") == 8 and fewest_pairs(5, "greater") == 7
    # 7 pairs: 2 / 128 = 0.0156, times 3 is below 0.05, so two others must have been multiplied
    assert shown_before(7, 5, "two-sided") == 2 and shown_before(8, 5, "two-sided") == 0
    assert shown_before(6, 5, "two-sided") == 4  # 2 / 64 = 0.03125, times 1


def test_only_planned_levels_are_compared_and_corrected_for(tmp_path):
    study = a_study(tmp_path, levels=["b"])
    (b,) = compare(study, rows(study, {"a": [0.1] * 9, "b": [0.1] * 9}))
    assert (b.level, b.p, b.corrected) == ("b", pytest.approx(2 / 512), pytest.approx(2 / 512))
    with pytest.raises(InputError, match="level c of start does not exist"):
        a_study(tmp_path, levels=["c"])
    with pytest.raises(InputError, match="compares scratch with itself"):
        a_study(tmp_path, levels=["scratch"])


def test_the_primary_cell_alone_is_tested(tmp_path):
    study = a_study(tmp_path)
    assert len(study.runs) == 3 * (9 + 3)
    a, b = compare(study, rows(study, {"a": [0.01 * i for i in range(1, 10)], "b": [0.1] * 2}))
    assert (a.level, len(a.pairs), len(a.planned)) == ("a", 9, 9)
    assert (a.p, a.corrected) == pytest.approx((2 / 512, 4 / 512))
    assert a.gains.mean == pytest.approx(0.05)
    assert (len(b.pairs), b.p, b.corrected) == (2, 0.5, 0.5)


def test_each_comparison_has_one_honest_sentence(tmp_path):
    study = a_study(tmp_path)
    ups, mixed = [0.01 * i for i in range(1, 10)], [0.1, -0.1] * 4 + [0.01]
    text = describe(study, compare(study, rows(study, {"a": ups, "b": mixed})))
    assert "Primary cell: value 0.25. Paired by seed, exact permutation test, two-sided, " in text
    assert "Holm's correction over 2. Every other cell is descriptive." in text
    assert text.splitlines()[2].split() == "pairs gain over scratch p corrected p".split()
    assert text.splitlines()[3].split() == "a 9 of 9 +0.050 ± 0.027 0.0039 0.0078".split()
    assert (
        "a: +0.050 ± 0.027 over scratch in 9 of 9 planned pairs, better in 9: a gain is shown "
        "(corrected p 0.0078)."
    ) in text
    assert "b: +0.001 ± 0.100 over scratch in 9 of 9 planned pairs, better in 5: no diff" in text
    text = describe(study, compare(study, rows(study, {"a": [-x for x in ups], "b": mixed[:3]})))
    assert "better in 0: a loss is shown" in text
    assert (
        "b: 3 of 9 planned pairs (missing: 3, 4, 5, 6, 7, 8); fewer than 6 can never reach 0.05."
    ) in text
    text = describe(study, compare(study, rows(study, {"a": ups[:8], "b": []})))
    assert "(missing: 8), better in 8: a gain is shown (corrected p 0.0156); preliminary" in text
    assert "b: 0 of 9 planned pairs" in text


def test_what_holm_shows_with_fewer_pairs_than_the_first_level_needs_is_told(tmp_path):
    study = a_study(tmp_path, starts=("scratch", *"abcde"))
    ups = [0.01 * i for i in range(1, 10)]
    text = describe(study, compare(study, rows(study, dict.fromkeys("abcd", ups) | {"e": ups[:7]})))
    assert "e: +0.040 ± 0.022 over scratch in 7 of 9 planned pairs (missing: 7, 8), " in text
    assert "better in 7: a gain is shown (corrected p 0.0195); preliminary, pairs are" in text
    mixed = [0.1, -0.1] * 4 + [0.01]
    others = {"a": ups, **dict.fromkeys("bcd", mixed)}
    text = describe(study, compare(study, rows(study, others | {"e": ups[:7]})))
    assert "better in 7: no difference is shown (corrected p 0.0625); preliminary, pairs" in text
    assert "; 7 pairs can reach 0.05 only where 2 other levels are shown." in text
    text = describe(study, compare(study, rows(study, others | {"e": ups[:6]})))
    assert "; 6 pairs can reach 0.05 only where 4 other levels are shown." in text


def test_one_sided_says_so_and_finds_no_loss(tmp_path):
    study = a_study(tmp_path, alternative="greater")
    text = describe(study, compare(study, rows(study, {"a": [-0.1] * 9, "b": [0.1] * 9})))
    assert "one-sided: only a gain counts" in text
    assert "a: -0.100 ± 0.000 over scratch in 9 of 9 planned pairs, better in 0: no diff" in text


@pytest.mark.parametrize(
    ("test", "sentence"),
    [
        ({"factor": "strat"}, "the test knows no factor strat; there are start, value, seed"),
        ({"cell": {}}, "needs one level of every factor but those of factor and pairs: value"),
        ({"cell": {"value": 0.3}}, "the test's level 0.3 of value does not exist"),
        ({"baseline": "none"}, "the test's level none of start does not exist"),
        ({"alternative": "less"}, "knows no test::alternative less; there are greater, two-sided"),
        ({"cell": [0.25]}, "test::cell takes an object of one level by factor"),
        ({"levels": "ab"}, "test::levels takes a list of levels"),
        ({"baseline": None}, "test::baseline takes a level"),
        ({"side": 1}, "test knows no key side"),
    ],
)
def test_a_mistake_in_the_plan_is_one_sentence(tmp_path, test, sentence):
    with pytest.raises(InputError, match=f"study.json: .*{sentence}"):
        a_study(tmp_path, **test)


def test_show_writes_the_test_beside_the_results(tmp_path, capsys):
    study = a_study(tmp_path)
    for row in rows(study, {"a": [0.1] * 9, "b": [0.1]}):
        path = study.result({name: row[name] for name in ("start", "value", "seed")})
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"mean_dice": row["mean_dice"], "dice": {}}))
    show(study)
    assert "a gain is shown" in capsys.readouterr().out
    assert (tmp_path / "out/test.png").stat().st_size > 5000
    with (tmp_path / "out/test.csv").open() as file:
        a, b = csv.DictReader(file)
    assert (a["compared"], a["baseline"], a["planned_pairs"], a["pairs"]) == (
        *("a", "scratch"),
        *("9", "9"),
    )
    assert float(a["mean_gain"]) == pytest.approx(0.1) and float(a["holm_p"]) == 4 / 512
    assert (b["pairs"], b["p"], b["holm_p"]) == ("1", "", "")
