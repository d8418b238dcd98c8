"""Errors that a user can mend: each is one sentence, shown without a traceback."""

import difflib
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType


class InputError(ValueError):
    """Reports a user's mistake in one sentence that names the file or flag and the remedy.

    It is an exception and not an exit, so that a server which embeds a bundle survives it.
    """


def suggest(word: str, known: Iterable[str]) -> str:
    """Returns `did you mean NAME?` with the known name nearest to a word; "" where none is near.

    Args:
        word: as it was typed.
        known: names that would have been right.
    """
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]}?" if close else ""


def sentence_of(error: BaseException) -> str | None:
    """Returns the sentence of the first `InputError` in an exception's chain.

    Args:
        error: any exception; its causes and contexts are searched too.

    Returns:
        The sentence. None if the chain has no `InputError`: then the error is no user's mistake.
    """
    return next(_sentences(error), None)


def show_sentence(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Prints the sentence of an `InputError` on stderr, and the traceback of any other error.

    Meant as `sys.excepthook`. With the environment variable `MONAI_DEBUG=1` the traceback of an
    `InputError` is printed too.

    Args:
        kind: class of the exception.
        error: the exception.
        trace: its traceback.
    """
    sentence = sentence_of(error)
    if sentence is None or _debugging():
        sys.__excepthook__(kind, error, trace)
    if sentence is not None:
        print(f"error: {sentence}", file=sys.stderr)
        _tell_torchrun(sentence)


def _tell_torchrun(sentence: str) -> None:
    """Writes the file from which torchrun takes the cause in its own last lines."""
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if path:
        message = {"message": sentence, "extraInfo": {"timestamp": str(int(time.time()))}}
        Path(path).write_text(json.dumps({"message": message}))


def _sentences(error: BaseException | None) -> Iterator[str]:
    """Yields the sentences of all `InputError`s in an exception's chain, the last raised first."""
    while error is not None:
        if isinstance(error, InputError):
            yield str(error)
        else:  # a data loader's worker hands its exception over as text
            yield from re.findall(r"\bInputError: (.+)", str(error))
        error = error.__cause__ or error.__context__


def _debugging() -> bool:
    """Tells whether MONAI_DEBUG is on, as `monai.utils.MONAIEnvVars.debug` does.

    The variable is read here because the import of MONAI takes seconds.
    """
    return os.environ.get("MONAI_DEBUG", "").lower() in {"1", "true", "t", "yes", "y"}
