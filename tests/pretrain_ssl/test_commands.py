"""Command lines of the corpus' tools: mistakes are refused before anything is done."""

import importlib
import sys

import pytest


def copy(source: str, *, count: int = 1, share: float | None = None, fast: bool = False) -> str:
    """Copy it."""
    return f"{source!r} {count} {share} {fast}"


@pytest.fixture
def shell(scripts, monkeypatch, capsys):
    """`shell("copy", "a")` runs that command line; gives status or sentence, and what it prints."""
    commands = importlib.import_module("scripts.commands")
    done = []

    def refuse(source: str) -> None:
        raise scripts.command_line.InputError(f"{source} is no good.")

    def act(source: str, *, count: int = 1) -> None:
        done.append(source)

    def start(*words: str) -> tuple:
        monkeypatch.setattr(sys, "argv", ["tool.py", *words])
        try:
            commands.run({"copy": copy, "refuse": refuse, "act": act})
        except SystemExit as stop:
            return stop.code, capsys.readouterr().out, done
        return 0, capsys.readouterr().out, done

    return start


def test_words_are_read_as_annotated(shell):
    code, out, _ = shell("copy", "2025_01", "--count", "3", "--share=0.5", "--fast", "true")
    assert (code, out) == (0, "'2025_01' 3 0.5 True\n")
    assert shell("copy", "--source", "a,b")[1] == "'a,b' 1 None False\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("copy", "a", "--count", "three"), "--count takes a whole number, not three."),
        (("copy", "a", "--share", "half"), "--share takes a number, not half."),
        (("copy", "a", "--fast", "maybe"), "--fast takes True or False, not maybe."),
        (("refuse", "a"), "a is no good."),
    ],
)
def test_a_mistake_is_one_sentence(shell, words, sentence):
    assert shell(*words)[0] == f"error: {sentence}"


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("act", "a", "--cuont", "2"), "--cuont; did you mean --count?"),
        (("act", "a", "--coun=2"), "did you mean --count?"),
        (("act", "a", "b"), "b; see --help."),
        (("act",), "source; see --help."),
        (("atc", "a"), "did you mean act?"),
    ],
)
def test_what_cannot_be_placed_is_refused_before_the_work(shell, words, remedy):
    code, _, done = shell(*words)
    assert code.startswith("error: ") and code.endswith(remedy) and done == []


def test_help_and_the_list_of_commands_do_nothing(shell):
    assert shell("act", "--help")[::2] == (0, [])
    code, out, done = shell()
    assert code == 0 and "refuse" in out and done == []
