"""Flags of `monai.bundle run`: how they are read, and which of them nothing declares."""

import sys
from inspect import signature

import pytest
from helpers import write_json
from monai.bundle import run

from common import errors
from common.cli import command_line, flags

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


@pytest.fixture(autouse=True)
def excepthook_is_restored(monkeypatch) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)


@pytest.fixture
def shell(monkeypatch, tmp_path):
    """`shell("--a", "1")` makes this the command line, with CONFIG as its config file."""

    def start(*arguments: str, program="/x/monai/bundle/__main__.py", verb="run") -> None:
        config = write_json(tmp_path / "config.json", CONFIG)
        monkeypatch.setattr(sys, "argv", [program, verb, "--config_file", config, *arguments])

    return start


def given(monkeypatch, *arguments: str) -> dict:
    monkeypatch.setattr(sys, "argv", ["/x/monai/bundle/__main__.py", "run", *arguments])
    return command_line.flags()


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
        (["-a", "1", "-b=2"], {"a": 1, "b": 2}),
        (["--noa", "--b", "2"], {"a": False, "b": 2}),
        (["--nob", "2"], {"nob": 2}),
        ([], {}),
    ],
)
def test_flags_are_read_as_fire_reads_them(monkeypatch, arguments, expected):
    assert given(monkeypatch, *arguments) == expected


def test_last_of_equal_flags_counts(monkeypatch):
    assert given(monkeypatch, "--a", "1", "--a", "2") == {"a": 2}


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
def test_declared_flags_pass(shell, flag):
    shell(flag)
    flags.check_flags()


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
def test_undeclared_flags_are_refused_by_name(refusal, shell, flag):
    shell(flag)
    with refusal(f"Unknown flag {flag.split('=')[0]}: no config file declares it"):
        flags.check_flags()


def test_a_flag_that_no_part_reads_is_named(shell, caplog):
    shell("--epochs=7", "--train::plain::knob=2")
    flags.check_flags()
    assert caplog.messages == [
        "without effect, as no part of this command reads it: --epochs, --train"
    ]
    caplog.clear()
    shell("--epochs=7", "--learning_rate=$1 / @epochs", "--run_id=learning_rate")
    flags.check_flags()
    assert not caplog.messages


def test_closest_declared_flag_is_suggested(refusal, shell):
    shell("--epcohs", "7")
    with refusal(r"--epcohs: .*did you mean --epochs\?"):
        flags.check_flags()


def test_flag_unlike_any_other_points_to_the_readme(refusal, shell):
    shell("--zzz", "7")
    with refusal("README"):
        flags.check_flags()


def test_arguments_of_monai_itself_pass(shell, tmp_path):
    shell("--meta_file=a", "--logging_file=b", "--run_id=run", "--init_id=c", "--final_id=d")
    flags.check_flags()
    args_file = write_json(tmp_path / "args.json", {"epochs": 1})
    shell("--tracking=mlflow", "--args_file", args_file, "--tracking_uri=a", "--experiment_name=b")
    flags.check_flags()


def test_every_argument_of_monais_run_passes():
    own = {name for name in signature(run).parameters if name != "override"}
    assert own <= command_line.RUN_ARGUMENTS


def test_flags_declared_by_an_overlay_pass(monkeypatch, tmp_path):
    overlay = write_json(
        tmp_path / "b.json", {"train::plain::new": {"deep": 1, "top": "@top"}, "top": 2}
    )
    files = f"['{write_json(tmp_path / 'a.json', CONFIG)}','{overlay}']"
    arguments = ["--config_file", files, "--top", "1", "--train::plain::new::deep", "2"]
    monkeypatch.setattr(sys, "argv", ["/x/monai/bundle/__main__.py", "run", *arguments])
    flags.check_flags()
    assert command_line.merged_config(command_line.layers())["train"]["plain"] == {
        "knob": 1,
        "new": {"deep": 1, "top": "@top"},
    }


def test_config_file_may_stand_in_the_args_file(refusal, monkeypatch, tmp_path):
    config = write_json(tmp_path / "config.json", CONFIG)
    args_file = write_json(tmp_path / "args.json", {"config_file": config})
    arguments = ["--args_file", args_file, "--epcohs", "1"]
    monkeypatch.setattr(sys, "argv", ["/x/monai/bundle/__main__.py", "run", *arguments])
    with refusal("did you mean --epochs"):
        flags.check_flags()


@pytest.mark.parametrize(
    "program, verb", [("/usr/bin/pytest", "run"), ("/x/monai/bundle/__main__.py", "ckpt_export")]
)
def test_nothing_is_checked_when_the_bundle_is_used_otherwise(shell, program, verb):
    before = sys.excepthook
    shell("--epcohs", "7", program=program, verb=verb)
    flags.check_flags()
    assert sys.excepthook is before
    assert command_line.effective_config() == {}


def test_check_of_flags_installs_the_sentence(shell):
    shell()
    flags.check_flags()
    assert sys.excepthook is errors.show_sentence


@pytest.mark.parametrize(
    ("program", "installs"),
    [("/x/monailabel/interfaces/utils/app.py", True), ("/x/monailabel/main.py", False)],
)
def test_a_training_of_monai_label_ends_in_the_sentence_and_its_server_is_left_alone(
    shell, program, installs
):
    before = sys.excepthook
    shell("--epcohs", "7", program=program, verb="-m")
    flags.check_flags()
    assert (sys.excepthook is errors.show_sentence) == installs
    assert installs or sys.excepthook is before
