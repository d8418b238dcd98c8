"""A stand-in for `python -m monai.bundle run`, and tools/study with it: studies in a second.

As a script: `study_stub.py stub FLAGS` is the command that a study runs; `study_stub.py BUNDLES
ARGUMENTS` is `tools/study ARGUMENTS` with that command and those bundles. The stub notes every
start in `calls.txt` of its bundle's folder, waits as long as `hold` lies there, fails for the value
`bad`, and writes a summary to `--out`: its Dice is the value and that of `--source`.
"""

import copy
import json
import signal
import sys
from pathlib import Path
from time import sleep

FLAGS = {"dataset_dir": "", "source": "", "value": 0, "seed": 0, "out": "", "steps": {"a": 1}}
CONFIG = {
    "title": "A test",
    "inputs": {"dataset_dir": "data"},
    "factors": {
        "start": {"scratch": {}, "given": {"train": {"source": "{before}/summary.json"}}},
        "value": [0.25, 0.5],
        "seed": [0, 1],
    },
    "steps": {
        "before": {
            "bundle": "fake",
            "config_file": ["train"],
            "flags": {"dataset_dir": "{dataset_dir}", "out": "{folder}/summary.json", "value": 0.1},
            "makes": "summary.json",
        },
        "train": {
            "bundle": "fake",
            "config_file": ["train"],
            "flags": {"value": "{value}", "seed": "{seed}", "out": "{folder}/summary.json"},
            "makes": "summary.json",
        },
        "evaluate": {
            "bundle": "fake",
            "config_file": ["train"],
            "flags": {"source": "{train}/summary.json", "out": "{folder}/summary.json"},
            "makes": "summary.json",
        },
    },
    "result": "{evaluate}/summary.json",
    "figure": {"kind": "lines", "x": "value", "lines": "start"},
}


# By start and value; one of seed 0, one of seed 1. The gains are 0.1, 0.2 and 0.3, 0.1.
DICE = {
    ("scratch", "0.25"): (0.2, 0.4),
    ("scratch", "0.5"): (0.5, 0.7),
    ("given", "0.25"): (0.3, 0.6),
    ("given", "0.5"): (0.8, 0.8),
}


def finished_study(folder: Path, figure: dict | None = None, leave_out: tuple = ()):
    """The stub's study as if it had been run, with the Dice above."""
    from tools.study.config import read_study

    content = copy.deepcopy(CONFIG)
    content["figure"] |= figure or {}
    content["figure"] = {n: v for n, v in content["figure"].items() if v is not None}
    folder.mkdir(exist_ok=True)
    (folder / "study.json").write_text(json.dumps(content))
    study = read_study(str(folder / "study.json"), str(folder / "out"), {})
    for run in study.runs:
        dice = DICE[run["start"], run["value"]][int(run["seed"])]
        path = study.result(run)
        path.parent.mkdir(parents=True, exist_ok=True)
        if (run["start"], run["value"], run["seed"]) not in leave_out:
            path.write_text(json.dumps({"mean_dice": dice, "dice": {"liver": 1.0, "aorta": None}}))
    return study


def write_bundles(folder: Path) -> Path:
    """A folder with the bundle `fake`, whose config declares `FLAGS`."""
    (folder / "fake/configs").mkdir(parents=True)
    (folder / "fake/configs/train.json").write_text(json.dumps(FLAGS))
    return folder


def use(bundles: Path) -> None:
    """Let tools/study run the stub in these bundles."""
    from tools.study import commands, config, runner

    for module in (commands, config, runner):
        module.BUNDLES = bundles
    commands.check_commands = lambda study: None  # imports MONAI; test_config.py has it
    runner.LAUNCHER = (sys.executable, __file__, "stub")


def stub(arguments: list[str]) -> None:
    flags = dict(zip(arguments[0::2], arguments[1::2]))
    out = Path(flags["--out"])
    with Path("calls.txt").open("a") as calls:
        calls.write("/".join(out.parts[-3:-1]) + "\n")
    signal.signal(signal.SIGTERM, lambda *_: print("told to stop") or sys.exit(143))
    while Path("hold").exists():
        sleep(0.01)
    if flags.get("--value") == "bad":
        print("a line before\nerror: the value is bad; give a good one.", file=sys.stderr)
        sys.exit(1)
    if flags.get("--value") != "nothing":
        dice = float(flags.get("--value", 0))
        if "--source" in flags:
            dice += json.loads(Path(flags["--source"]).read_text())["mean_dice"]
        out.write_text(json.dumps({"mean_dice": dice, "dice": {"liver": dice, "aorta": None}}))


if __name__ == "__main__":
    if sys.argv[1] == "stub":
        stub(sys.argv[2:])
    else:
        sys.path.insert(0, str(Path(__file__).parents[1]))
        from common.cli.commands import run
        from tools.study.commands import COMMANDS

        use(Path(sys.argv.pop(1)))
        run(COMMANDS, "python tools/study")
