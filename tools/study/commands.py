"""Runs studies of many trainings: the gain of pre-training by labels, proxy tasks, or volumes.

    python tools/study run tools/study/studies/label_efficiency_demo.json
    python tools/study list tools/study/studies/label_efficiency_demo.json
    python tools/study figure tools/study/studies/label_efficiency_demo.json

A study is a configuration: a grid of factors, and bundle commands. `run` runs every command once,
with --jobs N up to N at a time; killed and started again, it resumes. `list` prints them instead,
for a cluster. `figure` makes `results.csv`, `figure.png` and the planned test of what has been
evaluated. docs/studies.md has more.

--dataset_dir, --corpus_dir and --test_dir replace the paths of the inputs that are called so.
--results FILE takes results from a results.csv that was kept, and needs nothing else of its runs.
"""

import sys

from common.cli.kinds import Count
from common.errors import InputError

from .config import BUNDLES, check_commands, read_study
from .figure import draw
from .grid import Study
from .hypothesis import compare
from .results import panels, read_results
from .results_file import with_known, write_rows
from .runner import Runner
from .steps import check_unchanged, missing
from .tables import tables
from .verdict import describe, test_rows
from .verdict_figure import draw_test


def run(
    config: str,
    *,
    output_dir: str | None = None,
    dataset_dir: str | None = None,
    corpus_dir: str | None = None,
    test_dir: str | None = None,
    results: str | None = None,
    jobs: Count = 1,
) -> None:
    """Runs the unfinished steps, then makes results and figure; exits 1 when a step has failed.

    Args:
        config: the study's JSON file.
        output_dir: folder of the study; without it `studies/` and the file's name.
        dataset_dir: labelled images to train on; default: those of the configuration.
        corpus_dir: unlabelled images to pre-train on; default: those of the configuration.
        test_dir: labelled images to evaluate on; default: those of the configuration.
        results: a results.csv that was kept; the runs in it are not run again.
        jobs: steps that run at a time; each needs cores, memory and a GPU of its own.
    """
    study = read(
        config, output_dir, dataset_dir=dataset_dir, corpus_dir=corpus_dir, test_dir=test_dir
    )
    study = with_known(study, results)
    check_commands(study)
    for name, path in missing(study).items():
        raise InputError(f"{path} does not exist; give what is to be used by --{name}.")
    status = Runner(study, jobs).run()
    if status <= 1 and (study.known or any(study.result(run).is_file() for run in study.runs)):
        show(study)
    sys.exit(status)


def list_commands(
    config: str,
    *,
    output_dir: str | None = None,
    dataset_dir: str | None = None,
    corpus_dir: str | None = None,
    test_dir: str | None = None,
    results: str | None = None,
) -> None:
    """Prints every command, step by step: those of a step can run at the same time.

    Args:
        config: the study's JSON file.
        output_dir, dataset_dir, corpus_dir, test_dir, results: as in `run`.
    """
    study = read(
        config, output_dir, dataset_dir=dataset_dir, corpus_dir=corpus_dir, test_dir=test_dir
    )
    study = with_known(study, results)
    check_commands(study)
    for number, step in enumerate(study.content["steps"], start=1):
        jobs = [job for job in study.jobs if job.step == step]
        print(f"# {number}. {step}: {len(jobs)}")
        for job in jobs:
            print(job.line(BUNDLES))


def figure(
    config: str,
    *,
    output_dir: str | None = None,
    dataset_dir: str | None = None,
    corpus_dir: str | None = None,
    test_dir: str | None = None,
    results: str | None = None,
) -> None:
    """Makes `results.csv`, `figure.png` and a printed table of the runs that have been evaluated.

    Where the configuration plans a test, it is printed too, and goes to `test.csv` and `test.png`.

    Args:
        config: the study's JSON file.
        output_dir, dataset_dir, corpus_dir, test_dir, results: as in `run`.
    """
    study = read(
        config, output_dir, dataset_dir=dataset_dir, corpus_dir=corpus_dir, test_dir=test_dir
    )
    study = with_known(study, results)
    check_unchanged(study, with_inputs=False)
    show(study)


def read(config: str, output_dir: str | None, **inputs: str | None) -> Study:
    """Reads the study, with the inputs of the command line; inputs of None are left out."""
    given = {name: path for name, path in inputs.items() if path is not None}
    return read_study(config, output_dir, given)


def show(study: Study) -> None:
    """Shows results, table, figure and the planned test of the finished runs."""
    rows = read_results(study)
    write_rows(study.output_dir / "results.csv", rows)
    found = panels(study, rows)
    print(f"\n{tables(study, found)}")
    print(f"\n{len(rows)} of {len(study.runs)} runs; {draw(study, found)}")
    if "test" in study.content:
        comparisons = compare(study, rows)
        write_rows(study.output_dir / "test.csv", test_rows(study, comparisons))
        print(f"\n{describe(study, comparisons)}\n\n{draw_test(study, comparisons)}")


COMMANDS = {"run": run, "list": list_commands, "figure": figure}
