"""Command lines: every word is understood before anything runs, or refused in one sentence."""

import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from helpers import ROOT

from common.cli.commands import run
from common.cli.kinds import Count, Positive
from common.errors import InputError


def convert(file: str, out: Path, scale: float = 1.0, count: Count | None = None) -> str:
    """Converts a file, 100 % of it.

    Args:
        file: what to read.
        out: what to write.
        scale: factor, above 0.
        count: how many.
    """
    return f"{file!r} {out!r} {scale} {count}"


def draw(
    *names: str,
    output: str,
    is_fast: bool = False,
    spacing_mm: list[Positive] | None = None,
    kind: Literal["ct", "mr"] | None = "ct",
) -> str:
    """Draws."""
    return f"{names} {output} {is_fast} {spacing_mm} {kind}"


def refuse(file: str) -> None:
    """Refuses."""
    raise InputError(f"{file} is no image.")


def stop() -> None:
    """Is stopped by Ctrl-C."""
    raise KeyboardInterrupt


COMMANDS = {"convert": convert, "draw": draw, "stop": stop, "more": {"refuse": refuse}}


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ("convert 2025_01 1e3", "'2025_01' PosixPath('1e3') 1.0 None"),
        ("convert a b --scale 2 --count=3", "'a' PosixPath('b') 2.0 3"),
        ("convert --scale -2 a b", "'a' PosixPath('b') -2.0 None"),
        ("draw --output o", "() o False None ct"),
        ("draw a b --output o --is_fast", "('a', 'b') o True None ct"),
        ("draw --output o --is-fast No --kind mr", "() o False None mr"),
        ("draw --output o --spacing_mm 1,2.5", "() o False [1.0, 2.5] ct"),
        ("draw --output o --spacing_mm [3]", "() o False [3.0] ct"),
    ],
)
def test_words_become_what_the_function_takes(capsys, words, printed):
    run(COMMANDS, "tool", words.split())
    assert capsys.readouterr().out == printed + "\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("convrt a b", "convrt is unknown; did you mean convert?"),
        ("convert a b --scael 2", "--scael is unknown; did you mean --scale?"),
        ("convert a b --sca 2", "--sca is unknown; did you mean --scale?"),
        ("convert a b c", "c is unknown"),
        ("convert a", "arguments are required: out"),
        ("draw a", "arguments are required: --output"),
        ("convert a b --scale fast", "takes a number, not fast"),
        ("convert a b --count 2_0", "takes a whole number of 1 or more, not 2_0"),
        ("convert a b --count 0", "takes a whole number of 1 or more, not 0"),
        ("draw --output o --spacing_mm 1,-2", "takes a number above 0, not -2"),
        ("draw --output o --is_fast maybe", "takes true or false, not maybe"),
        ("draw --output o --spacing_mm 1,,2", "takes values separated by commas, not '1,,2'"),
        ("draw --output o --spacing_mm=", "takes values separated by commas, not ''"),
        ("draw --output o --kind mri", "mri is unknown; did you mean mr?"),
        ("convert a b --scale", "expected one argument"),
        ("", "arguments are required: COMMAND"),
        ("more", "arguments are required: COMMAND"),
        ("more refuse x.nii", "x.nii is no image."),
    ],
)
def test_mistakes_are_one_sentence_and_nothing_runs(capsys, words, sentence):
    with pytest.raises(SystemExit) as stop:
        run(COMMANDS, "tool", words.split())
    message = str(stop.value)
    assert message.startswith("error: ") and sentence in message and "\n" not in message
    assert capsys.readouterr().out == ""


def test_ctrl_c_ends_in_one_sentence(capsys):
    with pytest.raises(SystemExit) as stop:
        run(COMMANDS, "tool", ["stop"])
    sentence = "error: stopped by the keyboard; the same command begins again.\n"
    assert stop.value.code == 130 and capsys.readouterr().err == sentence


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("--help", ["convert", "Converts a file, 100 % of it.", "refuse"]),
        ("convert --help", ["what to read.", "factor, above 0. (default: 1.0)", "--count COUNT"]),
        ("more -h", ["Refuses."]),
    ],
)
def test_help_shows_what_the_docstrings_say(capsys, words, shown):
    with pytest.raises(SystemExit) as stop:
        run(COMMANDS, "tool", words.split())
    text = capsys.readouterr().out
    assert stop.value.code == 0 and text.startswith("usage: tool")
    assert all(part in text for part in shown)


def test_one_function_is_a_program_of_one_command(capsys):
    run(convert, "tool", ["a", "b"])
    assert capsys.readouterr().out == "'a' PosixPath('b') 1.0 None\n"


def test_neither_torch_nor_monai_is_imported():
    names = "('torch', 'monai')"
    code = f"import sys, common.cli.commands; print([m for m in {names} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_output_that_nobody_reads_any_more_ends_quietly():
    code = (
        "from common.cli.commands import run; "
        "run({'much': lambda: 'a long line\\n' * 100_000}, 'tool', ['much'])"
    )
    line = f'"{sys.executable}" -c "{code}" | head -n 1; echo "status ${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("a long line\nstatus 141\n", "")


def test_a_broken_pipe_of_the_commands_own_is_no_closed_output():
    def send() -> None:
        raise BrokenPipeError("the worker is gone")

    with pytest.raises(BrokenPipeError, match="the worker is gone"):
        run({"send": send}, "tool", ["send"])
