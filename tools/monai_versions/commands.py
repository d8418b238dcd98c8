"""Compares Swin UNETR between versions of MONAI: same weights, same input, other outputs.

    python tools/monai_versions fetch --wheels wheels
    python tools/monai_versions run --wheels wheels --output versions.json
    python tools/monai_versions table --report versions.json

Every version runs in a process of its own, from its wheel unpacked in a temporary folder; the
installed MONAI is the reference and makes the weights. docs/merging_versions.md has the results.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

import torch

from common.atomic_write import check_writable, write_text
from common.errors import InputError
from tools import ROOT

from .cases import CASES
from .table import markdown

WORKER = ("-m", "tools.monai_versions.worker")  # what `python` runs for each version
PUBLISHED = (
    "0.9.0 0.9.1 1.0.0 1.0.1 1.1.0 1.2.0 1.3.0 1.3.1 1.3.2 1.4.0 1.5.0 1.5.1 1.5.2 1.6.0 1.6.1"
)


def fetch(*, wheels: str, versions: list[str] | None = None) -> None:
    """Downloads MONAI's wheels with pip, without their dependencies.

    Args:
        wheels: folder to put them into.
        versions: such as 1.4.0, separated by commas; without it all from 0.9.0 to 1.6.1.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    for version in versions or PUBLISHED.split():
        if subprocess.run([*command, "-d", wheels, f"monai=={version}"]).returncode:
            raise InputError(f"pip could not download monai {version}; it says why above.")


def run(*, wheels: str, output: str, cases: str | None = None) -> None:
    """Runs all versions in a folder of wheels, and prints how far they are from the installed one.

    Args:
        wheels: folder with files such as monai-1.4.0-py3-none-any.whl.
        output: file to write: .json, or .md for the printed tables.
        cases: names of cases, separated by semicolons; without it all of them.
    """
    target, found = checked_output(output), find_wheels(Path(wheels))
    check_writable(files=[output])
    names = checked_cases(cases)
    installed = Path(importlib.util.find_spec("monai").origin).parents[1]
    with tempfile.TemporaryDirectory() as folder:
        print("the installed version makes weights and inputs", file=sys.stderr)
        reference = work(Path(folder), installed, names, "reference")
        if "error" in reference:
            raise InputError(f"the installed MONAI fails: {reference['error']}")
        versions = {}
        for version, wheel in found.items():
            print(f"MONAI {version}", file=sys.stderr)
            with tempfile.TemporaryDirectory() as unpacked:
                unpack(wheel, Path(unpacked))
                versions[version] = work(Path(folder), Path(unpacked), names)
    report = {"reference": reference["version"], "torch": torch.__version__, "versions": versions}
    text = json.dumps(report, indent=1) if target.suffix == ".json" else markdown(report)
    write_text(target, text + "\n")
    print(markdown(report))


def table(*, report: str) -> None:
    """Prints the tables of a .json that `run` wrote.

    Args:
        report: the .json.
    """
    try:
        print(markdown(json.loads(Path(report).read_text())))
    except OSError:
        raise InputError(f"{report} cannot be read; `run` writes such a file.") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{report} is no .json that `run` wrote.") from None


def checked_output(output: str) -> Path:
    if Path(output).suffix not in (".json", ".md"):
        raise InputError(f"{output} must end in .json or .md.")
    return Path(output)


def checked_cases(cases: str | None) -> list[str]:
    names = list(CASES) if cases is None else cases.split(";")
    for name in names:
        if name not in CASES:
            raise InputError(f"no case is called {name!r}; there are {'; '.join(CASES)}.")
    return names


def find_wheels(folder: Path) -> dict[str, Path]:
    """Returns MONAI's wheels by version, oldest first, each of them readable to its end."""
    found = {path.name.split("-")[1]: path for path in folder.glob("monai-*-*.whl")}
    if not found:
        raise InputError(f"{folder} has no wheel of MONAI (monai-*.whl); `fetch` gets them.")
    for path in found.values():
        try:
            damaged = zipfile.ZipFile(path).testzip() is not None
        except (zipfile.BadZipFile, zlib.error, EOFError):
            damaged = True
        if damaged:
            raise InputError(f"{path} is damaged; delete it and fetch it again.")
    return {version: found[version] for version in sorted(found, key=numbers)}


def numbers(version: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", version)]


def unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)


def work(folder: Path, parent: Path, names: list[str], role: str = "") -> dict:
    """Runs the worker with the MONAI in `parent`; returns its report, or the last line it printed.

    Args:
        folder: where the reference leaves weights, inputs and results for the others.
    """
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    words = [*WORKER, str(folder), str(parent), str(report), ";".join(names), role]
    path = f"{parent}{os.pathsep}{ROOT}"
    settings = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *words], env=settings, cwd=folder, capture_output=True, text=True
    )
    if done.returncode or not report.is_file():
        return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(report.read_text())


COMMANDS = {"fetch": fetch, "run": run, "table": table}
