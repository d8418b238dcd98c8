"""Defines errors that a user can mend: each is one sentence, shown without a traceback."""

import difflib
import json
import logging
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from .library_errors import OTHER_PROCESS, explain

STOPPED = (
    "stopped by the keyboard; the same command begins again, a training from its last checkpoint."
)


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


def suggest_and_list(word: str, known: Sequence[str]) -> str:
    """Returns `did you mean NAME? There are NAME, OTHER.`: of few names that may be far from it.

    Args:
        word: as it was typed.
        known: names that would have been right.
    """
    near, names = suggest(word, known), f"are {', '.join(known)}."
    return f"{near} There {names}" if near else f"there {names}"


def list_first(items: Sequence[str], most: int = 5) -> str:
    """Lists the first of many items, and the number of the others: `a, b and 3 more`."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more


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
    is_stopped = issubclass(kind, KeyboardInterrupt)
    sentence = STOPPED if is_stopped else sentence_of(error) or explain(error)
    if sentence is None or _debugging():
        sys.__excepthook__(kind, error, trace)
    if sentence is not None:
        print(f"error: {sentence}", file=sys.stderr)
        if sentence != OTHER_PROCESS:  # that one tells
            _tell_torchrun(sentence)


def show_errors_as_sentences() -> None:
    """Lets this process end by `show_sentence`, and keeps ignite from logging the same before.

    Ignite logs the whole text of an exception once for every engine in which it runs.
    """
    sys.excepthook = show_sentence
    for handler in logging.getLogger().handlers:
        handler.addFilter(_is_shown_at_the_end)


def _is_shown_at_the_end(record: logging.LogRecord) -> bool:
    is_of_engine = record.levelno == logging.ERROR and "is terminating due to" in str(record.msg)
    return _debugging() or not is_of_engine


def _tell_torchrun(sentence: str) -> None:
    """Writes the file from which torchrun takes the cause in its own last lines."""
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if path:
        message = {"message": sentence, "extraInfo": {"timestamp": str(int(time.time()))}}
        Path(path).write_text(json.dumps({"message": message}))


def _sentences(error: BaseException | None) -> Iterator[str]:
    """Yields the sentences of all `InputError`s in an exception's chain, the last raised first."""
    names = "|".join(_class_names(InputError))
    while error is not None:
        # a data loader's worker hands its exception over as text, of which torch makes one again
        in_worker = re.findall(rf"\b(?:{names}): (.+)", str(error))
        if in_worker or not isinstance(error, InputError):
            yield from in_worker
        else:
            yield str(error)
        error = error.__cause__ or error.__context__


def _class_names(kind: type) -> Iterator[str]:
    """Yields the names of a class and of all classes derived from it."""
    yield kind.__name__
    for derived in kind.__subclasses__():
        yield from _class_names(derived)


def _debugging() -> bool:
    """Tells whether MONAI_DEBUG is on, as `monai.utils.MONAIEnvVars.debug` does.

    The variable is read here because the import of MONAI takes seconds.
    """
    return os.environ.get("MONAI_DEBUG", "").lower() in {"1", "true", "t", "yes", "y"}
