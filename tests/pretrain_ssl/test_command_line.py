"""Flags that nothing declares, and the one sentence that a user's mistake ends in."""

import sys
from inspect import signature
from types import SimpleNamespace

import pytest
from helpers import write_json
from monai.bundle import run

CONFIG = {
    "spacing_mm": [1.5, 1.5, 1.5],
    "epochs": 5,
    "learning_rate": 1e-4,
    "train": {
        "optimizer": {"_target_": "torch.optim.AdamW", "lr": 1e-4},
        "handlers": [{"_target_": "A", "interval": 1}, {"_target_": "B"}],
        "plain": {"knob": 1},
    },
}


@pytest.fixture
def command_line(load_scripts, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    return load_scripts("pretrain_ssl").command_line


@pytest.fixture
def shell(monkeypatch, tmp_path):
    """`shell("--a", "1")` makes this the command line, with CONFIG as its config file."""

    def start(*arguments: str, program="/x/monai/bundle/__main__.py", verb="run") -> None:
        config = write_json(tmp_path / "config.json", CONFIG)
        monkeypatch.setattr(sys, "argv", [program, verb, "--config_file", config, *arguments])

    return start


def given(monkeypatch, command_line, *arguments: str) -> dict:
    monkeypatch.setattr(sys, "argv", ["/x/monai/bundle/__main__.py", "run", *arguments])
    return command_line.flags()


def refusal(command_line, words: str):
    return pytest.raises(command_line.InputError, match=words)


def chained(*errors: BaseException) -> BaseException:
    """The first error, caused by the second, and so on."""
    for error, cause in zip(errors, errors[1:]):
        error.__cause__ = cause
    return errors[0]


# what was given


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["--a=1"], {"a": 1}),
        (["--a", "1"], {"a": 1}),
        (["--a", "-1.5"], {"a": -1.5}),
        (["--a=b=c"], {"a": "b=c"}),
        (["--a", "/data/ct"], {"a": "/data/ct"}),
        (["--a", "$torch.device('cpu')"], {"a": "$torch.device('cpu')"}),
        (["--a", "None", "--b", "False"], {"a": None, "b": False}),
        (["--a", "['x.json','y.json']"], {"a": ["x.json", "y.json"]}),
        (["--a", "[64,64,32]"], {"a": [64, 64, 32]}),
        (["--train::trainer::max_epochs", "2"], {"train::trainer::max_epochs": 2}),
        (["--train#trainer#max_epochs", "2"], {"train::trainer::max_epochs": 2}),
        (["--learning-rate", "0.1"], {"learning_rate": 0.1}),
        (["--a", "--b", "2"], {"a": True, "b": 2}),
        (["--a"], {"a": True}),
        (["my_run_id", "--a", "1"], {"a": 1}),
        ([], {}),
    ],
)
def test_flags_are_read_as_fire_reads_them(monkeypatch, command_line, arguments, expected):
    assert given(monkeypatch, command_line, *arguments) == expected


def test_last_of_equal_flags_counts(monkeypatch, command_line):
    assert given(monkeypatch, command_line, "--a", "1", "--a", "2") == {"a": 2}


# what is declared


@pytest.mark.parametrize(
    "flag",
    [
        "--epochs=7",
        "--learning-rate=1",
        "--spacing_mm::2=3",
        "--train::handlers::0::interval=2",
        "--train#plain#knob=2",
        "--train::optimizer::betas=0",  # a further argument: AdamW itself refuses a wrong one
        "--train::handlers::1::interval=2",
        "--_meta_::version=1",
    ],
)
def test_declared_flags_pass(command_line, shell, flag):
    shell(flag)
    command_line.check_flags()


@pytest.mark.parametrize(
    "flag",
    [
        "--epcohs=7",
        "--train::handlers::2::interval=2",
        "--train::handlers::first=2",
        "--train::plain::other=2",
        "--train::optimizer::betas::0=2",
        "--epochs::more=2",
        "--spacing_mm::3=1",
    ],
)
def test_undeclared_flags_are_refused_by_name(command_line, shell, flag):
    shell(flag)
    with refusal(command_line, f"Unknown flag {flag.split('=')[0]}: no config file declares it"):
        command_line.check_flags()


def test_closest_declared_flag_is_suggested(command_line, shell):
    shell("--epcohs", "7")
    with refusal(command_line, r"--epcohs: .*did you mean --epochs\?"):
        command_line.check_flags()


def test_flag_unlike_any_other_points_to_the_readme(command_line, shell):
    shell("--zzz", "7")
    with refusal(command_line, "README"):
        command_line.check_flags()


def test_arguments_of_monai_itself_pass(command_line, shell, tmp_path):
    shell("--meta_file=a", "--logging_file=b", "--run_id=run", "--init_id=c", "--final_id=d")
    command_line.check_flags()
    args_file = write_json(tmp_path / "args.json", {"epochs": 1})
    shell("--tracking=mlflow", "--args_file", args_file, "--tracking_uri=a", "--experiment_name=b")
    command_line.check_flags()


def test_every_argument_of_monais_run_passes(command_line):
    own = {name for name in signature(run).parameters if name != "override"}
    assert own <= command_line.RUN_ARGUMENTS


def test_flags_declared_by_an_overlay_pass(command_line, monkeypatch, tmp_path):
    overlay = write_json(tmp_path / "b.json", {"train::plain::new": {"deep": 1}, "top": 2})
    files = f"['{write_json(tmp_path / 'a.json', CONFIG)}','{overlay}']"
    arguments = ["--config_file", files, "--top", "1", "--train::plain::new::deep", "2"]
    monkeypatch.setattr(sys, "argv", ["/x/monai/bundle/__main__.py", "run", *arguments])
    command_line.check_flags()
    assert command_line.merged_config()["train"]["plain"] == {"knob": 1, "new": {"deep": 1}}


def test_config_file_may_stand_in_the_args_file(command_line, monkeypatch, tmp_path):
    config = write_json(tmp_path / "config.json", CONFIG)
    args_file = write_json(tmp_path / "args.json", {"config_file": config})
    arguments = ["--args_file", args_file, "--epcohs", "1"]
    monkeypatch.setattr(sys, "argv", ["/x/monai/bundle/__main__.py", "run", *arguments])
    with refusal(command_line, "did you mean --epochs"):
        command_line.check_flags()


@pytest.mark.parametrize(
    "program, verb", [("/usr/bin/pytest", "run"), ("/x/monai/bundle/__main__.py", "ckpt_export")]
)
def test_nothing_is_checked_when_the_bundle_is_used_otherwise(command_line, shell, program, verb):
    before = sys.excepthook
    shell("--epcohs", "7", program=program, verb=verb)
    command_line.check_flags()
    assert sys.excepthook is before
    assert command_line.merged_config() == {}


# what the user sees


def shown(command_line, capsys, error: BaseException) -> str:
    command_line._show_sentence(type(error), error, None)
    return capsys.readouterr().err


def test_input_error_is_shown_as_its_sentence_alone(command_line, capsys):
    error = command_line.InputError("a.nii is broken; replace it.")
    assert shown(command_line, capsys, error) == "error: a.nii is broken; replace it.\n"


def test_sentence_is_found_below_other_errors(command_line, capsys):
    sentence = command_line.InputError("a.nii is broken; replace it.")
    error = chained(RuntimeError("applying transform"), ValueError("outer"), sentence)
    assert shown(command_line, capsys, error) == "error: a.nii is broken; replace it.\n"


def test_sentence_is_found_in_the_context_of_another_error(command_line, capsys):
    error = RuntimeError("while handling")
    error.__context__ = command_line.InputError("a.nii is broken; replace it.")
    assert shown(command_line, capsys, error) == "error: a.nii is broken; replace it.\n"


def test_sentence_is_found_in_the_text_of_a_worker(command_line, capsys):
    text = (
        "Caught RuntimeError in DataLoader worker process 0.\n"
        "Original Traceback (most recent call last):\n  File a.py, line 3\n"
        "scripts.command_line.InputError: a.nii is broken; replace it.\n\n"
        "The above exception was the direct cause of the following exception:\n"
        "RuntimeError: applying transform\n"
    )
    error = RuntimeError(text)
    assert shown(command_line, capsys, error) == "error: a.nii is broken; replace it.\n"


def test_other_errors_keep_their_traceback(command_line, capsys):
    assert "KeyError: 'some key'" in shown(command_line, capsys, KeyError("some key"))


def test_debugging_shows_traceback_and_sentence(command_line, capsys, monkeypatch):
    monkeypatch.setattr(command_line, "MONAIEnvVars", SimpleNamespace(debug=lambda: True))
    text = shown(command_line, capsys, command_line.InputError("a.nii is broken."))
    assert "InputError: a.nii is broken." in text
    assert text.splitlines()[-1] == "error: a.nii is broken."


def test_check_of_flags_installs_the_sentence(command_line, shell):
    shell()
    command_line.check_flags()
    assert sys.excepthook is command_line._show_sentence


def test_input_error_is_an_ordinary_exception(command_line):
    assert issubclass(command_line.InputError, ValueError)
