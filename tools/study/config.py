"""Reads a study's configuration; every mistake is reported before anything runs."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from common.cli.flags import is_declared, place_of
from common.errors import suggest
from tools import ROOT

from .grid import Job, Study, fields, folder_name, line_factors
from .hypothesis import OPTIONAL_TEST_KEYS, TEST_KEYS, check_test

BUNDLES = ROOT / "bundles"
STUDY_KEYS = {"title", "inputs", "factors", "steps", "result", "figure"}
OPTIONAL_KEYS = {"_desc_", "leave_out", "run_last", "test"}
STEP_KEYS = {"bundle", "config_file", "flags", "makes"}
FIGURE_KEYS = {"kind", "x", "x_label", "x_format", "x_scale", "lines", "panels", "repeats"}
KINDS = {"lines", "bars", "points"}
SCALES = {"linear", "even"}
MAX_NAME_BYTES = 255  # of a folder's name, on nearly every file system


def read_study(config: str, output_dir: str | None, inputs: dict[str, str]) -> Study:
    """Reads a configuration, with the paths that the command line gives.

    Args:
        config: the JSON file.
        output_dir: without one `studies/` and the file's name, in the working directory.
        inputs: paths by the names of the configuration's `inputs`; the others stay as they are.

    Raises:
        SystemExit: a mistake in the file or in the names of the inputs.
    """
    path = Path(config)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        _check_form(content)
        _check_fields(content)
        _check_names(inputs, content["inputs"], "the study", "input")
        paths = {n: Path(given).absolute() for n, given in (content["inputs"] | inputs).items()}
        folder = Path(output_dir or f"studies/{path.stem}").absolute()
        study = Study(path, content, folder, paths)
        _check_lengths(study)
    except OSError:
        raise SystemExit(f"{path} cannot be read; give the JSON file of a study.") from None
    except ValueError as mistake:  # json's own are of this kind too
        raise SystemExit(f"{path}: {mistake}") from None
    return study


def check_commands(study: Study) -> None:
    """Checks that the configs of a bundle declare every flag of each of its commands.

    Raises:
        SystemExit: one is not, or there is no such bundle or config file; the closest is named.
    """
    try:
        for job in study.jobs:
            _check_command(job)
    except ValueError as mistake:
        raise SystemExit(f"{study.path}: {mistake}") from None


def _check_form(content: Any) -> None:
    """Checks that objects and keys are those that docs/studies.md describes."""
    _check_keys(content, "the study", STUDY_KEYS | OPTIONAL_KEYS, STUDY_KEYS)
    factors, steps, figure = content["factors"], content["steps"], content["figure"]
    for name, step in steps.items():
        _check_keys(step, f"step {name}", STEP_KEYS, STEP_KEYS)
    for name, levels in factors.items():
        texts = [str(level) for level in levels]
        if not texts or len(set(texts)) < len(texts):
            raise ValueError(f"factor {name} needs levels, each of them once.")
        _check_folder_names(name, texts)
        for level, given in levels.items() if isinstance(levels, dict) else ():
            _check_names(given, steps, f"level {level} of {name}", "step")
    if not steps or not factors:
        raise ValueError("a study needs a step and a factor.")
    names = [*factors, *steps, *content["inputs"], "folder"]
    for name in (name for name in names if names.count(name) > 1):
        raise ValueError(f"{name} is the name of two; factors, steps and inputs need their own.")
    _check_keys(figure, "the figure", FIGURE_KEYS, {"kind", "x"})
    _check_names([figure["kind"]], KINDS, "the figure", "kind")
    _check_names([figure.get("x_scale", "linear")], SCALES, "the figure", "x_scale")
    used = [figure[key] for key in ("x", "panels", "repeats") if key in figure]
    _check_names([*used, *line_factors(figure)], factors, "the study", "factor")
    for key in ("leave_out", "run_last"):
        for name, levels in (pair for entry in content.get(key, []) for pair in entry.items()):
            _check_names([name], factors, key, "factor")
            _check_names(map(str, levels), [str(level) for level in factors[name]], key, "level")
    if "test" in content:
        _check_keys(content["test"], "the test", TEST_KEYS | OPTIONAL_TEST_KEYS, TEST_KEYS)
        check_test(content["test"], factors)


def _check_folder_names(factor: str, levels: list[str]) -> None:
    """Checks that levels of a factor have different folders, whatever the case of letters."""
    by_name: dict[str, str] = {}
    for level in levels:
        other = by_name.setdefault(folder_name(level).casefold(), level)
        if other != level:
            raise ValueError(
                f"factor {factor}: the levels {other} and {level} would have one folder; let them "
                "differ in letters or digits, capitals not counted."
            )


def _check_lengths(study: Study) -> None:
    """Checks that no folder's name is too long for a file system."""
    for folder in (job.folder.name for job in study.jobs):
        if len(folder.encode(errors="surrogateescape")) > MAX_NAME_BYTES:
            raise ValueError(f"the levels make a folder's name too long: {folder}; shorten them.")


def _check_fields(content: dict) -> None:
    """Checks that names in braces are inputs, factors or earlier steps, and no flag is null."""
    known = {*content["inputs"], *content["factors"], "folder"}
    for name, step in content["steps"].items():
        levels = [x for x in content["factors"].values() if isinstance(x, dict)]
        added = [given.get(name, {}) for x in levels for given in x.values()]
        for flags in [step["flags"], *added]:
            _check_names(sorted(fields(flags)), known, f"step {name}", "earlier step or input")
            for flag in (flag for flag, value in flags.items() if value is None):
                raise ValueError(f"step {name}: {flag} is null; leave it out, or give a value.")
        known.add(name)
    _check_names(sorted(fields(content["result"])), known, "result", "step or input")


def _check_command(job: Job) -> None:
    step, bundle = job.step, job.bundle
    if not (BUNDLES / bundle).is_dir():
        raise ValueError(f"step {step}: there is no bundle {bundle}.")
    files = [BUNDLES / bundle / "configs" / f"{name}.json" for name in job.config_file]
    for file in files:
        if not file.is_file():
            raise ValueError(f"step {step}: {file} does not exist.")
    config = _merged(tuple(map(str, files)))
    for flag in (argument[2:] for argument in job.arguments[2::2]):
        if not is_declared(flag, config):
            place = place_of(flag, config)
            known = [key for key in config if not key.startswith("_")]
            remedy = suggest(flag, known) or "the bundle's README lists them."
            remedy = f"did you mean {place}?" if place else remedy
            raise ValueError(f"step {step}: no config of {bundle} declares {flag}; {remedy}")


def _check_keys(node: Any, what: str, known: set[str], needed: set[str]) -> None:
    if not isinstance(node, dict):
        raise ValueError(f"{what} is no object in braces.")
    _check_names(node, known, what, "key")
    for name in sorted(needed - set(node)):
        raise ValueError(f"{what} needs the key {name}.")


def _check_names(names: Iterable[str], known: Iterable[str], what: str, kind: str) -> None:
    for name in names:
        if name not in known:
            remedy = suggest(name, known) or f"there are {', '.join(sorted(known)) or 'none'}."
            raise ValueError(f"{what} knows no {kind} {name}; {remedy}")


@cache
def _merged(files: tuple[str, ...]) -> dict:
    from monai.bundle import ConfigParser  # takes seconds to import, and only this needs it

    return ConfigParser.load_config_files(list(files))
