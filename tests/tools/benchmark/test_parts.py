"""The table of single choices, on the quickest of them."""

import pytest
from bundle_runs import python
from helpers import ROOT

from common.cli.commands import run
from tools.benchmark import parts, variants


@pytest.mark.slow  # starts a process for each alternative
def test_alternatives_take_turns_and_each_has_a_row():
    done = python(ROOT, "tools/benchmark", "parts", "--only", "adamw", "--rounds", 1)
    rows = [line.split("|")[1:-1] for line in done.stdout.strip().splitlines()[2:]]
    assert [row[1].strip() for row in rows] == ["fused", "unfused"]
    assert all(float(row[2]) > 0 and float(row[3]) > 0.2 for row in rows)


def test_unknown_part_is_refused():
    with pytest.raises(SystemExit, match="haeds is unknown; did you mean heads"):
        run(parts.parts, arguments=["--only", "haeds,labels"])
    with pytest.raises(SystemExit, match="--rounds: takes a whole number of 1 or more, not 0"):
        run(parts.parts, arguments=["--rounds", "0"])


def test_every_part_has_alternatives_and_a_title():
    assert variants.PARTS.keys() == parts.VARIANTS.keys()
    assert parts.VARIANTS.keys() == parts.TITLES.keys()
