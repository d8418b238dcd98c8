"""Reads a study's configuration; every mistake is reported before anything runs."""

import json
from functools import cache
from pathlib import Path

from common.cli.flags import is_declared, place_of
from common.errors import InputError, suggest
from tools import ROOT

from .form import check_form, check_names
from .grid import Job, Study
from .hypothesis import planned_pairs

BUNDLES = ROOT / "bundles"
MAX_NAME_BYTES = 255  # of a folder's name, on nearly every file system


def read_study(config: str, output_dir: str | None, inputs: dict[str, str]) -> Study:
    """Reads a configuration, with the paths that the command line gives.

    Args:
        config: the JSON file.
        output_dir: without one `studies/` and the file's name, in the working directory.
        inputs: paths by the names of the configuration's `inputs`; the others stay as they are.

    Raises:
        InputError: a mistake in the file or in the names of the inputs.
    """
    path = Path(config)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        check_form(content)
        check_names(inputs, content["inputs"], "the study", "input")
        paths = {n: Path(given).absolute() for n, given in (content["inputs"] | inputs).items()}
        folder = Path(output_dir or f"studies/{path.stem}").absolute()
        study = Study(path, content, folder, paths)
        _check_lengths(study)
        if "test" in content:
            planned_pairs(study)
    except OSError:
        raise InputError(f"{path} cannot be read; give the JSON file of a study.") from None
    except ValueError as mistake:  # json's own are of this kind too
        raise InputError(f"{path}: {mistake}") from None
    return study


def check_commands(study: Study) -> None:
    """Checks that the configs of a bundle declare every flag of each of its commands.

    Raises:
        InputError: one is not, or there is no such bundle or config file; the closest is named.
    """
    try:
        for job in study.jobs:
            _check_command(job)
    except ValueError as mistake:
        raise InputError(f"{study.path}: {mistake}") from None


def _check_lengths(study: Study) -> None:
    """Checks that no folder's name is too long for a file system."""
    for folder in (job.folder.name for job in study.jobs):
        if len(folder.encode(errors="surrogateescape")) > MAX_NAME_BYTES:
            raise ValueError(f"the levels make a folder's name too long: {folder}; shorten them.")


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


@cache
def _merged(files: tuple[str, ...]) -> dict:
    from monai.bundle import ConfigParser  # takes seconds to import, and only this needs it

    return ConfigParser.load_config_files(list(files))
