"""The configs' one layout: what it changes, and what it must keep."""

import json
import re

import pytest
from helpers import BUNDLES

from common.errors import InputError
from tools.repo import format_json

CONFIGS = sorted(BUNDLES.rglob("*.json"))
NESTED = {
    "short": [1, 2, {"a": None}],
    "long": {
        f"key_{n}": ["x" * 20, {"deep": ["y" * 30] * n, "empty": {}, "none": []}] for n in (1, 5)
    },
    "flag": True,
    "text": 'a "quoted" \\ back\nslash, µ',
}


def configs(folder) -> None:
    (folder / "deep").mkdir()
    (folder / "good.json").write_text('{\n    "a": 1\n}\n')
    (folder / "deep/bad.json").write_text('{"a": 1}')
    (folder / "notes.txt").write_text('{"a": 1}')


def squeezed(text: str) -> str:
    """The same JSON on one line, its numbers as they are written."""
    return re.sub(r"\n\s*", " ", text)


def test_this_repository_is_formatted():
    format_json.check(str(BUNDLES))
    assert len(CONFIGS) >= 20


def test_small_nodes_stand_on_one_line():
    assert format_json.formatted('{"a":[1,\n2],"b":{"c":{}},\n"d":[]}') == (
        '{\n    "a": [1, 2],\n    "b": {"c": {}},\n    "d": []\n}\n'
    )


def test_large_nodes_are_broken_where_they_must_be():
    long = "x" * 60
    text = format_json.formatted(json.dumps({"a": [{"b": [1, 2], "c": long}, {"d": long}]}))
    assert text.splitlines() == [
        "{",
        '    "a": [',
        f'        {{"b": [1, 2], "c": "{long}"}},',
        f'        {{"d": "{long}"}}',
        "    ]",
        "}",
    ]


@pytest.mark.parametrize("length, is_broken", [(84, False), (85, True)])
def test_a_line_with_its_comma_has_at_most_100_columns(length, is_broken):
    text = format_json.formatted(json.dumps({"key": ["x" * length], "b": 1}))
    assert max(map(len, text.splitlines())) == (95 if is_broken else 100)
    assert (text.splitlines()[1] == '    "key": [') == is_broken


@pytest.mark.parametrize("text", [path.read_text() for path in CONFIGS] + [json.dumps(NESTED)])
def test_meaning_is_kept_and_a_second_pass_changes_nothing(text):
    once = format_json.formatted(squeezed(text))
    assert json.loads(once) == json.loads(text)
    assert format_json.formatted(once) == once


@pytest.mark.parametrize("text", [path.read_text() for path in CONFIGS] + [json.dumps(NESTED)])
def test_only_a_single_string_makes_a_line_longer_than_100_columns(text):
    for line in format_json.formatted(squeezed(text)).splitlines():
        assert len(line) <= 100 or re.fullmatch(r'\s*("[^"]*": )?"(\\.|[^"\\])*",?', line)


@pytest.mark.parametrize("number", ["1e-5", "1E5", "0.10", "1.0", "4e-4", "-0.0", "1000", "-3"])
def test_numbers_keep_their_spelling(number):
    assert format_json.formatted(f'{{"a": {number}}}') == f'{{\n    "a": {number}\n}}\n'
    assert f"[{number}, {number}]" in format_json.formatted(f'{{"a": [{number}, {number}]}}')


def test_order_of_keys_is_kept():
    text = format_json.formatted('{"b": 1, "a": {"d": 1, "c": 2}}')
    assert re.findall('"(.)"', text) == ["b", "a", "d", "c"]


def test_letters_beyond_ascii_stay_readable():
    assert '"µ → 1"' in format_json.formatted('{"a": "µ → 1"}')


def test_blank_lines_before_top_level_keys_are_kept():
    text = '{\n    "a": 1,\n\n    "b": 2,\n    "c": 3\n}\n'
    assert format_json.formatted(text) == text
    assert format_json.formatted(text.replace("\n\n", "\n   \n\n")) == text


def test_blank_lines_inside_a_node_are_dropped():
    text = format_json.formatted('{"a": {\n\n"b": 1},\n"c": 2}')
    assert text == '{\n    "a": {"b": 1},\n    "c": 2\n}\n'


def test_blank_line_inside_a_node_says_nothing_of_a_top_level_key_of_that_name():
    text = format_json.formatted('{"a": {\n\n"b": 1},\n"b": 2}')
    assert text == '{\n    "a": {"b": 1},\n    "b": 2\n}\n'


def test_check_names_the_differing_files_of_all_sub_folders(tmp_path):
    configs(tmp_path)
    with pytest.raises(InputError, match=f"^not formatted: {tmp_path}/deep/bad.json; run"):
        format_json.check(str(tmp_path))


def test_write_changes_only_what_differs(tmp_path, capsys):
    configs(tmp_path)
    format_json.write(str(tmp_path))
    assert capsys.readouterr().out == f"formatted {tmp_path}/deep/bad.json\n"
    assert (tmp_path / "deep/bad.json").read_text() == '{\n    "a": 1\n}\n'
    assert {path.name for path in tmp_path.rglob("*")} == {
        *("good.json", "notes.txt", "deep", "bad.json"),
    }
    format_json.check(str(tmp_path))


def test_folder_without_json_is_refused(tmp_path):
    with pytest.raises(InputError, match="no JSON file below"):
        format_json.check(str(tmp_path))


@pytest.mark.parametrize("content", [b'{"a": ', b"\xff\xfe", b"text"])
def test_a_file_that_is_no_json_is_named(tmp_path, content):
    (tmp_path / "broken.json").write_bytes(content)
    for command in (format_json.check, format_json.write):
        with pytest.raises(InputError, match=f"^{tmp_path}/broken.json is no JSON file .*; mend"):
            command(str(tmp_path))


def test_what_runs_leave_in_a_bundle_is_not_read(tmp_path):
    bundle = tmp_path / "bundles/mine"
    for name in ("configs/metadata", "configs/runs/good", "scripts/evaluation/good"):
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / f"{name}.json").write_text('{\n    "a": 1\n}\n')
    for name in ("runs/a", "models/a", "predictions/deep/a", "evaluation/a", "cache/a"):
        (bundle / name).parent.mkdir(parents=True)
        (bundle / f"{name}.json").write_text('{"cut of')
    for folder in (tmp_path / "bundles", bundle):
        format_json.check(str(folder))
    bad = bundle / "scripts/evaluation/bad.json"
    bad.write_text('{"a": 1}')
    assert list(format_json.differing(str(bundle))) == [bad]
