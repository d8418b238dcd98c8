"""Describes a study's configuration, and lists the commands that follow from it.

A configuration is a JSON file; docs/studies.md describes it. Every combination of the factors'
levels is a run: the last step, and whichever steps before it the flags refer to. A step's folder is
named by the factors that its command depends on, so that runs share the steps they have in common.
"""

import re
import shlex
import unicodedata
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

FIELD = re.compile(r"\{(\w+)\}")  # `{fraction}`; the braces of a dictionary hold more than a name


@dataclass(frozen=True)
class Job:
    """Describes one command of a study.

    Args:
        step: name of its step.
        levels: level by factor, of the factors that the command depends on.
        folder: of the command alone; all its files are there.
        bundle: name of the bundle, in whose folder it runs.
        config_file: names of the configs, without `configs/` and `.json`.
        arguments: the words after `python -m monai.bundle run`.
        named: the same words with paths by their names, such as `{output_dir}`.
        inputs: names of the study's inputs that it reads.
        makes: the file that is there when it has ended well.
        needs: the jobs whose files it reads.
    """

    step: str
    levels: dict[str, str]
    folder: Path
    bundle: str
    config_file: tuple[str, ...]
    arguments: tuple[str, ...]
    named: tuple[str, ...]
    inputs: tuple[str, ...]
    makes: Path
    needs: tuple["Job", ...] = field(repr=False)

    @property
    def name(self) -> str:
        return ", ".join([self.step, *(f"{name} {level}" for name, level in self.levels.items())])

    def line(self, bundles: Path) -> str:
        """Returns the command as a person would type it."""
        words = ["python", "-m", "monai.bundle", "run", *self.arguments]
        return f"cd {_quoted(str(bundles / self.bundle))} && {' '.join(map(_quoted, words))}"


@dataclass(frozen=True)
class Study:
    """Holds a configuration with its paths.

    Args:
        path: the JSON file.
        content: parsed from the file.
        output_dir: absolute.
        inputs: absolute path by name, of the configuration's `inputs`.
        known: rows of a results.csv that was kept; their runs are not to be run again.
    """

    path: Path
    content: dict
    output_dir: Path
    inputs: dict[str, Path]
    known: tuple[dict[str, Any], ...] = ()

    @cached_property
    def runs(self) -> list[dict[str, str]]:
        """Returns level by factor, of every combination; the first factor changes slowest.

        Combinations that an entry of `leave_out` covers are no runs; those of `run_last` come last.
        """
        factors = self.content["factors"]
        levels = [[str(level) for level in levels] for levels in factors.values()]
        runs = [dict(zip(factors, chosen)) for chosen in product(*levels)]
        left_out, last = (self.content.get(key, []) for key in ("leave_out", "run_last"))
        runs = [run for run in runs if not any(_covers(each, run) for each in left_out)]
        return sorted(runs, key=lambda run: any(_covers(each, run) for each in last))  # stable

    @cached_property
    def jobs(self) -> list[Job]:
        """Lists every command of runs without a known result once, after those that it needs."""
        found: dict[Path, Job] = {}
        known = [{name: row[name] for name in self.content["factors"]} for row in self.known]
        for run in (run for run in self.runs if run not in known):
            for job in chain(self.job(list(self.content["steps"])[-1], run)):
                found.setdefault(job.folder, job)
        return list(found.values())

    def job(self, step: str, run: dict[str, str]) -> Job:
        """Returns the command of a step in a run."""
        spec, folder = self.content["steps"][step], self.folder(step, run)
        flags = self.flags(step, run)
        names = flags.pop("config_file", spec["config_file"])
        files = [f"configs/{name}.json" for name in names]
        before = ("--config_file", str(files) if len(files) > 1 else files[0])
        used = fields(flags)
        return Job(
            step=step,
            levels={name: level for name, level in run.items() if name in self.factors_of[step]},
            folder=folder,
            bundle=spec["bundle"],
            config_file=tuple(names),
            arguments=(*before, *self.words(flags, step, run)),
            named=(*before, *self.by_name.words(flags, step, run)),
            inputs=tuple(name for name in self.inputs if name in used),
            makes=folder / spec["makes"],
            needs=tuple(self.job(name, run) for name in self.content["steps"] if name in used),
        )

    @cached_property
    def by_name(self) -> "Study":
        """Returns the same study with `{output_dir}`, `{corpus_dir}` and so on as its paths."""
        inputs = {name: Path(f"{{{name}}}") for name in self.inputs}
        return replace(self, output_dir=Path("{output_dir}"), inputs=inputs)

    def words(self, flags: dict[str, Any], step: str, run: dict[str, str]) -> list[str]:
        """Returns flags as words of a command line, filled."""
        pairs = ((f"--{flag}", str(self.filled(flags[flag], step, run))) for flag in flags)
        return [word for pair in pairs for word in pair]

    def flags(self, step: str, run: dict[str, str]) -> dict[str, Any]:
        """Returns a step's flags, and those that the levels of this run add; not filled yet.

        Among them is `config_file` where a level names other configs than the step.
        """
        flags = dict(self.content["steps"][step]["flags"])
        for name, levels in self.content["factors"].items():
            if isinstance(levels, dict):
                flags |= levels[run[name]].get(step, {})
        return flags

    @cached_property
    def factors_of(self) -> dict[str, set[str]]:
        """Returns the factors of each step's command, those of the steps that it needs included."""
        factors, found = self.content["factors"], {}
        adding = {name: levels for name, levels in factors.items() if isinstance(levels, dict)}
        for step in self.content["steps"]:
            own = {n for n, levels in adding.items() if any(step in x for x in levels.values())}
            used = fields([self.flags(step, run) for run in self.runs])
            before = [found[name] for name in found if name in used]
            found[step] = (own | used & set(factors)).union(*before)
        return found

    def folder(self, step: str, run: dict[str, str]) -> Path:
        """Returns a step's folder, such as `fine_tune/start-scratch_fraction-0.1_seed-0`."""
        names = [name for name in run if name in self.factors_of[step]]
        return self.output_dir / step / "_".join(f"{n}-{folder_name(run[n])}" for n in names)

    def filled(self, value: Any, step: str, run: dict[str, str]) -> Any:
        """Fills the paths and levels into a value."""
        if isinstance(value, dict):
            return {name: self.filled(part, step, run) for name, part in value.items()}
        if isinstance(value, list):
            return [self.filled(part, step, run) for part in value]
        if not isinstance(value, str):
            return value

        def text(match: re.Match) -> str:
            name = match[1]
            if name in self.content["steps"] or name == "folder":
                return str(self.folder(step if name == "folder" else name, run))
            return run[name] if name in run else str(self.inputs[name])

        return FIELD.sub(text, value)

    def result(self, run: dict[str, str]) -> Path:
        """Returns the path of the evaluation's summary of a run."""
        return Path(self.filled(self.content["result"], list(self.content["steps"])[-1], run))


def line_factors(figure: dict[str, Any]) -> list[str]:
    """Returns the factors whose levels are a figure's lines: none, one, or several together."""
    lines = figure.get("lines", [])
    return [lines] if isinstance(lines, str) else lines


def _covers(entry: dict[str, list], run: dict[str, str]) -> bool:
    return all(run[name] in map(str, levels) for name, levels in entry.items())


def folder_name(level: str) -> str:
    """Writes a level as part of a folder's name: letters of any script, digits, dots, hyphens."""
    return re.sub(r"(?:[^\w.]|_)+", "-", unicodedata.normalize("NFC", level))


def fields(value: Any) -> set[str]:
    """Finds the names in braces anywhere in a value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return set().union(*map(fields, value))
    return set(FIELD.findall(value)) if isinstance(value, str) else set()


def chain(job: Job) -> list[Job]:
    """Returns a job after all those that it needs."""
    return [*(before for need in job.needs for before in chain(need)), job]


def _quoted(word: str) -> str:
    """Quotes a word for a shell; in double quotes where the word has single quotes."""
    plain = "'" in word and not any(character in word for character in '"$`!\\')
    return f'"{word}"' if plain else shlex.quote(word)
