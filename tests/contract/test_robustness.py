"""Each situation in docs/robustness.md names a test that exists, each rule a place that exists."""

import ast
import re

from helpers import ROOT

PAGE = (ROOT / "docs/robustness.md").read_text()
ROWS = re.findall(r"^\| (.+?) \| (.+?) \| `(tests/[^`]+)` \|$", PAGE, re.M)


def test_every_row_names_a_test_that_exists():
    assert len(ROWS) >= 100
    missing = []
    for _, _, name in ROWS:
        path, _, test = name.partition("::")
        file = ROOT / path
        functions = ast.parse(file.read_text()).body if file.is_file() else []
        if test not in [getattr(node, "name", "") for node in functions]:
            missing.append(name)
    assert not missing


def test_every_line_below_the_rules_is_a_row():
    tables = PAGE.partition("\n## The rules")[2].partition("\n## ")[2]
    lines = [line for line in tables.splitlines() if line.startswith("|")]
    heads = [line for line in lines if line.endswith("| Test |") or set(line) <= set("|-")]
    assert len(heads) + len(ROWS) == len(lines)


def test_no_situation_stands_twice():
    situations = [situation for situation, _, _ in ROWS]
    assert len(set(situations)) == len(situations)


def test_places_of_the_rules_exist():
    rules = re.search(r"^## The rules\n(.*?)^## ", PAGE, re.M | re.S)[1]
    places = re.findall(r"`((?:common|bundles|tools)/[^`]+)`", rules)
    assert places
    for place in places:
        path, _, name = place.partition("::")
        assert (ROOT / path).exists(), place
        assert not name or re.search(rf"^(def|class) {name}\b", (ROOT / path).read_text(), re.M)
