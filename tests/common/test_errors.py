"""The one sentence that a user's mistake ends in."""

import logging
import os
import signal
import sys

import pytest
import torch
from ignite.engine import Engine
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.utils.data import DataLoader, Dataset

from common import errors
from common.data import nifti_affine


def chained(*chain: BaseException) -> BaseException:
    """The first error, caused by the second, and so on."""
    for error, cause in zip(chain, chain[1:]):
        error.__cause__ = cause
    return chain[0]


def shown(capsys, error: BaseException) -> str:
    errors.show_sentence(type(error), error, None)
    return capsys.readouterr().err


def test_input_error_is_shown_as_its_sentence_alone(capsys):
    error = errors.InputError("a.nii is broken; replace it.")
    assert shown(capsys, error) == "error: a.nii is broken; replace it.\n"


def test_sentence_is_found_below_other_errors(capsys):
    sentence = errors.InputError("a.nii is broken; replace it.")
    error = chained(RuntimeError("applying transform"), ValueError("outer"), sentence)
    assert shown(capsys, error) == "error: a.nii is broken; replace it.\n"


def test_sentence_is_found_in_the_context_of_another_error(capsys):
    error = RuntimeError("while handling")
    error.__context__ = errors.InputError("a.nii is broken; replace it.")
    assert shown(capsys, error) == "error: a.nii is broken; replace it.\n"


def test_sentence_is_found_in_the_text_of_a_worker(capsys):
    text = (
        "Caught RuntimeError in DataLoader worker process 0.\n"
        "Original Traceback (most recent call last):\n  File a.py, line 3\n"
        "scripts.common.errors.InputError: a.nii is broken; replace it.\n\n"
        "The above exception was the direct cause of the following exception:\n"
        "RuntimeError: applying transform\n"
    )
    error = RuntimeError(text)
    assert shown(capsys, error) == "error: a.nii is broken; replace it.\n"


@pytest.mark.parametrize("kind", ["InputError", "HeaderError"])
@pytest.mark.parametrize("outer", [RuntimeError, errors.InputError])
def test_sentence_alone_is_found_in_the_text_of_a_worker(capsys, kind, outer):
    """Torch raises the worker's class again, with the whole traceback as its text."""
    assert nifti_affine.HeaderError.__name__ == "HeaderError"
    text = (
        "Caught InputError in DataLoader worker process 0.\n"
        "Original Traceback (most recent call last):\n  File a.py, line 3\n"
        f"scripts.common.errors.{kind}: a.nii is broken; replace it.\n"
    )
    assert shown(capsys, outer(text)) == "error: a.nii is broken; replace it.\n"


def test_other_errors_keep_their_traceback(capsys):
    assert "KeyError: 'some key'" in shown(capsys, KeyError("some key"))


def test_debugging_shows_traceback_and_sentence(capsys, monkeypatch):
    monkeypatch.setenv("MONAI_DEBUG", "1")
    text = shown(capsys, errors.InputError("a.nii is broken."))
    assert "InputError: a.nii is broken." in text
    assert text.splitlines()[-1] == "error: a.nii is broken."


def test_input_error_is_an_ordinary_exception():
    assert issubclass(errors.InputError, ValueError)


def test_torchrun_is_told_the_sentence_for_its_last_lines(capsys, tmp_path, monkeypatch):
    path = tmp_path / "error.json"
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(path))
    shown(capsys, errors.InputError("a.nii is broken; replace it."))
    failure = ProcessFailure(local_rank=0, pid=1, exitcode=1, error_file=str(path))
    assert "traceback : a.nii is broken; replace it." in str(ChildFailedError("run", {0: failure}))


def test_a_process_that_lost_another_does_not_tell_torchrun(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "error.json"))
    shown(capsys, RuntimeError("Connection closed by peer [127.0.0.1]:1421"))
    assert not list(tmp_path.iterdir())


def test_the_error_of_an_engine_is_shown_once(capsys, monkeypatch):
    handler = logging.StreamHandler()
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    monkeypatch.setattr(sys, "excepthook", None)
    errors.show_errors_as_sentences()
    with pytest.raises(ZeroDivisionError):
        Engine(lambda *_: 1 / 0).run([1])
    logging.getLogger("ignite.other").error("another line")
    assert capsys.readouterr().err == "another line\n"


class DyingImages(Dataset):
    """Its reading ends the process, as the system does where memory runs out."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_the_system_kills_is_one_sentence(capsys):
    with pytest.raises(RuntimeError) as raised:
        list(DataLoader(DyingImages(), num_workers=1))
    assert shown(capsys, raised.value).startswith("error: a process that loads images was killed")


def test_a_device_that_does_not_exist_is_one_sentence(capsys):
    with pytest.raises(RuntimeError) as raised:
        torch.device("gpu")
    assert shown(capsys, raised.value).startswith("error: --device names no device of PyTorch")


def test_a_stop_by_the_keyboard_is_one_line(capsys):
    text = shown(capsys, KeyboardInterrupt())
    assert text.startswith("error: stopped by the keyboard") and text.count("\n") == 1


@pytest.mark.parametrize(
    "count, text", [(0, ""), (1, "0"), (3, "0, 1, 2"), (5, "0, 1, 2 and 2 more")]
)
def test_of_many_items_the_first_are_listed(count, text):
    assert errors.list_first([str(i) for i in range(count)], 3) == text
