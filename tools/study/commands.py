"""Runs studies of many trainings: what pre-training brings, by labels, proxy tasks, or volumes.

    python tools/study run tools/study/studies/label_efficiency_demo.json
    python tools/study list tools/study/studies/label_efficiency_demo.json
    python tools/study figure tools/study/studies/label_efficiency_demo.json

A study is a configuration: a grid of factors, and bundle commands. `run` runs every command once;
killed and started again it goes on where it was. `list` prints them instead, for a cluster.
`figure` makes `results.csv` and `figure.png` of what has been evaluated. docs/studies.md has more.

Further options are the inputs that the configuration names, such as --dataset_dir.
"""

import sys

from fire.decorators import SetParseFn

from .config import BUNDLES, check_commands, read_study
from .figure import draw
from .grid import Study
from .results import read_results, scores, table, write_results
from .runner import Runner
from .steps import check_unchanged, missing


@SetParseFn(str)  # fire would read a folder 2025_01 as the number 202501
def run(config: str, *words: str, output_dir: str | None = None, **inputs: str) -> None:
    """Runs what is not finished, then makes results and figure; exits 1 when a step has failed.

    Args:
        config: the study's JSON file.
        words: none.
        output_dir: folder of the study; without it `studies/` and the file's name.
        inputs: paths of what the configuration names, such as
            dataset_dir: labelled images to train on,
            corpus_dir: unlabelled images to pre-train on,
            test_dir: labelled images to evaluate on.
    """
    study = read(config, words, output_dir, inputs)
    check_commands(study)
    for name, path in missing(study).items():
        raise SystemExit(f"{path} does not exist; give what is to be used by --{name}.")
    status = Runner(study).run()
    if status <= 1 and any(study.result(each).is_file() for each in study.runs):
        show(study)
    sys.exit(status)


@SetParseFn(str)
def list_commands(config: str, *words: str, output_dir: str | None = None, **inputs: str) -> None:
    """Prints every command, step by step: those of a step can run at the same time.

    Args:
        config: the study's JSON file.
        words: none.
        output_dir: as in `run`.
        inputs: as in `run`.
    """
    study = read(config, words, output_dir, inputs)
    check_commands(study)
    for number, step in enumerate(study.content["steps"], start=1):
        jobs = [job for job in study.jobs if job.step == step]
        print(f"# {number}. {step}: {len(jobs)}")
        for job in jobs:
            print(job.line(BUNDLES))


@SetParseFn(str)
def figure(config: str, *words: str, output_dir: str | None = None, **inputs: str) -> None:
    """Makes `results.csv`, `figure.png` and a printed table of the runs that have been evaluated.

    Args:
        config: the study's JSON file.
        words: none.
        output_dir: as in `run`.
        inputs: as in `run`.
    """
    study = read(config, words, output_dir, inputs)
    check_unchanged(study, with_inputs=False)
    show(study)


def read(config: str, words: tuple[str, ...], output_dir: str | None, inputs: dict) -> Study:
    """The study, once every word of the command line and of the configuration has a meaning."""
    if words:
        raise SystemExit(f"{words[0]} is no option; options begin with --.")
    return read_study(config, output_dir, inputs)


def show(study: Study) -> None:
    """Results, table and figure of the runs that there are."""
    rows = read_results(study)
    write_results(study, rows)
    found = scores(study, rows)
    print(f"\n{table(study, found)}\n\n{len(rows)} of {len(study.runs)} runs; {draw(study, found)}")


COMMANDS = {"run": run, "list": list_commands, "figure": figure}
