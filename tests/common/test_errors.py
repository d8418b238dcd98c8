"""The one sentence that a user's mistake ends in."""

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from common import errors


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
