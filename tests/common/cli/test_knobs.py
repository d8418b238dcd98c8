"""Values of knobs: what is taken, what is refused, and in which words."""

import sys

import pytest
from bundle_runs import copy_bundle, last_line, run_here
from helpers import write_json

from common.cli import command_line, knobs
from common.errors import InputError

CONFIG = {
    "amp": False,
    "dataset_dir": "/data",
    "patch_size": [96, 96, 96],
    "overlap": 0.5,
    "max_grad_norm": 1.0,
    "hu_min": -175,
    "hu_max": 250,
    "ckpt_path": "model.pt",
    "network": {"_target_": "prepare", "compile": False, "channels": "@channels"},
    "train": {
        "trainer": {"_target_": "T", "max_epochs": 5, "lr": 0.1, "name": "x"},
        "handlers": [{"_target_": "H", "interval": 1, "prob": None}],
        "sizes": [1, 2],
        "mixed": ["a", 1],
    },
}


def check(monkeypatch, tmp_path, *flags: str, overlay: dict | None = None) -> None:
    """Checks a command line with CONFIG and perhaps an overlay."""
    files = [write_json(tmp_path / "config.json", CONFIG)]
    if overlay:
        files.append(write_json(tmp_path / "mine.json", overlay))
    arguments = ["--config_file", str([str(file) for file in files]), *flags]
    monkeypatch.setattr(sys, "argv", ["/x/monai/bundle/__main__.py", "run", *arguments])
    knobs.check_values(command_line.layers(), known=set())


@pytest.mark.parametrize(
    "flags",
    [
        ["--amp", "True"],
        ["--amp"],
        ["--noamp"],
        ["--amp", "$1 < 2"],
        ["--patch_size", "[64,64,32]"],
        ["--patch_size", "64,64,32"],
        ["--patch_size", "(64,64,32)"],
        ["--patch_size::2", "32"],
        ["--overlap", "0"],
        ["--max_grad_norm", "$None"],
        ["--hu_min", "-1000.5"],
        ["--dataset_dir", "./20241128"],
        ["--dataset_dir", "'20241128'"],
        ["--ckpt_path", "['a.pt','b.pt']"],
        ["--network::compile", "True"],
        ["--network::channels", "2"],
        ["--train::trainer::lr", "1"],
        ["--train::trainer::new", "anything"],
        ["--train::handlers::0::interval", "2"],
        ["--train::handlers::0::prob", "0.3"],
        ["--train::sizes", "[3]"],
        ["--train::mixed", "[3]"],
    ],
)
def test_values_of_the_right_kind_pass(monkeypatch, tmp_path, flags):
    check(monkeypatch, tmp_path, *flags)


SWITCH = "amp takes True or False"
PATCH = "patch_size takes a list of 3 multiples of 32 in voxels, as [96, 96, 96]"
OVERLAP = "overlap takes a number from 0 to below 1"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--amp", "false"], f"--amp false is the text 'false', and {SWITCH}, as --amp False."),
        (["--amp", "no"], f"--amp no is the text 'no', and {SWITCH}, as --amp False."),
        (["--amp", "off"], f"--amp off is the text 'off', and {SWITCH}, as --amp False."),
        (["--amp", "0.5"], f"--amp 0.5 is the number 0.5, and {SWITCH}."),
        (["--amp", "1"], f"--amp 1 is the number 1, and {SWITCH}."),
        (["--patch_size", "64"], f"--patch_size 64 is the number 64, and {PATCH}."),
        (["--patch_size", "[64,64]"], f"--patch_size [64,64] is [64, 64], and {PATCH}."),
        (["--patch_size", "[64,64,0]"], f"--patch_size [64,64,0] is [64, 64, 0], and {PATCH}."),
        (["--patch_size::2", "-32"], f"--patch_size::2 -32 is the number -32, and {PATCH}."),
        (["--overlap", "50"], f"--overlap 50 is the number 50, and {OVERLAP}."),
        (["--overlap", "1e999"], f"--overlap 1e999 is the number inf, and {OVERLAP}."),
        (["--overlap", "half"], f"--overlap half is the text 'half', and {OVERLAP}."),
        (
            ["--dataset_dir", "2024_11_28"],
            "--dataset_dir 2024_11_28 is read as the number 20241128; to keep it as text, quote it "
            "twice: --dataset_dir \"'2024_11_28'\".",
        ),
        (
            ["--ckpt_path", "1e3"],
            "--ckpt_path 1e3 is read as the number 1000.0; to keep it as text, quote it twice: "
            "--ckpt_path \"'1e3'\".",
        ),
        (
            ["--max_grad_norm", "None"],
            "--max_grad_norm None has no effect, because MONAI ignores None on the command line; "
            "give --max_grad_norm '$None'.",
        ),
        (
            ["--hu_min", "-1e999"],
            "--hu_min -1e999 is the number -inf, and hu_min takes a number in HU.",
        ),
        (["--hu_min", "300"], "hu_min 300 is not below hu_max 250; mend one."),
        (
            ["--network::compile", "false"],
            "--network::compile false is the text 'false', and network::compile takes True or "
            "False or None, as --network::compile False.",
        ),
        (
            ["--network::channels", "0"],
            "--network::channels 0 is the number 0, and network::channels takes a whole number of "
            "1 or more.",
        ),
        (
            ["--train::trainer::max_epochs", "2.5"],
            "--train::trainer::max_epochs 2.5 is the number 2.5, and train::trainer::max_epochs "
            "takes a whole number or None.",
        ),
        (
            ["--train::sizes", "3"],
            "--train::sizes 3 is the number 3, and train::sizes takes a list of whole numbers or "
            "None.",
        ),
    ],
)
def test_values_of_another_kind_are_refused(refusal, monkeypatch, tmp_path, flags, sentence):
    with pytest.raises(InputError) as error:
        check(monkeypatch, tmp_path, *flags)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("overlay", "sentence"),
    [
        ({"amp": "false"}, f"mine.json: amp is the text 'false', and {SWITCH}."),
        ({"overlpa": 0.5}, "mine.json: nothing reads the key overlpa; did you mean overlap?"),
        ({"train::trainer::max_epochs": "many"}, "takes a whole number or None"),
        ({"network": 5}, "mine.json: network is the number 5, and network takes"),
    ],
)
def test_values_of_an_overlay_are_checked(monkeypatch, tmp_path, overlay, sentence):
    with pytest.raises(InputError) as error:
        check(monkeypatch, tmp_path, overlay=overlay)
    assert sentence in str(error.value)


def test_overlays_may_add_what_something_reads(monkeypatch, tmp_path):
    overlay = {"steps": 5, "train::trainer::epoch_length": "@steps", "train::trainer::lr": None}
    check(monkeypatch, tmp_path, overlay=overlay)
    check(monkeypatch, tmp_path, overlay={"+train::mixed": ["b"], "_note_": "mine"})


@pytest.mark.parametrize(
    ("iterations", "per_epoch", "nearest"),
    [
        (750, 500, "500 or 1000"),
        (1499, 500, "1000 or 1500"),
        (7, 6, "6 or 12"),
        (2, 500, None),
        (500, 500, None),
        (450000, 500, None),
        (3, 1, None),
        ("$3 * 250", 500, None),
    ],
)
def test_a_training_ends_with_an_epoch(monkeypatch, tmp_path, iterations, per_epoch, nearest):
    overlay = {"iterations": iterations, "iterations_per_epoch": per_epoch}
    if nearest is None:
        check(monkeypatch, tmp_path, overlay=overlay)
        return
    with pytest.raises(InputError) as error:
        check(monkeypatch, tmp_path, overlay=overlay)
    assert str(error.value) == (
        f"iterations {iterations} is no multiple of iterations_per_epoch {per_epoch}, and whole "
        f"epochs alone are trained; give --iterations {nearest}, or an --iterations_per_epoch that "
        f"divides {iterations}."
    )


def test_a_pretraining_that_would_go_on_behind_its_schedule_is_refused(tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    done = run_here(bundle, "train", "--iterations", 750, check=False)
    assert done.returncode == 1 and "give --iterations 500 or 1000" in last_line(done.stderr)
    assert not (bundle / "runs").exists()


def test_args_file_is_checked_and_counts(monkeypatch, tmp_path):
    args_file = write_json(tmp_path / "args.json", {"amp": True, "overlap": 0.25})
    check(monkeypatch, tmp_path, "--args_file", str(args_file), "--overlap", "0.75")
    config = command_line.effective_config()
    assert (config["amp"], config["overlap"]) == (True, 0.75)
    args_file = write_json(tmp_path / "args.json", {"amp": "yes"})
    with pytest.raises(InputError, match="args.json: amp .* takes True or False"):
        check(monkeypatch, tmp_path, "--args_file", str(args_file))


def test_real_run_refuses_before_any_work(tmp_path):
    bundle = copy_bundle("btcv_segmentation", tmp_path)
    flags = ["--dataset_dir", "nowhere", "--amp", "false"]
    done = run_here(bundle, "train demo", *flags, check=False)
    assert done.returncode == 1
    assert last_line(done.stderr).startswith("error: --amp false is the text 'false'")
    assert not (bundle / "runs").exists()
