"""Every command in a document: run by `.ci/run`, or at least its files, flags and keys exist.

`make demo` and `make test` are run by `.ci/run`; what the bundles' commands do is run, shrunk by
the demo overlay, by the tests of each bundle; every other command is checked here.
"""

import importlib
import inspect
import re
import shlex
from pathlib import Path

import monai.bundle
import pytest
from bundle_runs import python
from helpers import BUNDLES, ROOT, import_scripts
from monai.bundle import ConfigParser

from common.cli.command_line import RUN_ARGUMENTS
from common.cli.commands import understand
from common.cli.flags import is_declared
from common.cli.knobs import check_multiples
from common.runtime.memory import KEPT_BYTES, M_MMAP_MAX, M_TOP_PAD, M_TRIM_THRESHOLD, STEP_BYTES

NAMES = ["btcv_segmentation", "msd_tasks", "pretrain_ssl"]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(BUNDLES.glob("*/docs/*.md")),
]
# the user's; tests/btcv_segmentation/test_own_data.py and tests/toy_objectives.py have them
SEGMENTATION = ("btcv_segmentation", "msd_tasks")
OWN_OVERLAYS = ("configs/my_labels.json", "configs/objectives/crop_mean.json")
RUN_BY_CI = {"make demo", "make test", "make check"}
NOT_OURS = re.compile(
    r"(git clone|cd|mkdir|cp|pip install|python -m pip install|python3? -m venv|\. |export"
    r"|tensorboard|monailabel|ulimit|sha256sum|unzip|hf upload) ?.*"
)


def commands() -> list[tuple[Path, str]]:
    """Every line of every `bash` block, continuation lines joined."""
    found = []
    for document in DOCUMENTS:
        for block in re.findall(r"```bash\n(.*?)```", document.read_text(), re.S):
            lines = re.sub(r"\\\n\s*", "", block).splitlines()
            found += [(document, line) for line in lines if line and not line.startswith("#")]
    return found


def test_every_document_is_there_and_shows_commands():
    names = {str(path.relative_to(ROOT)) for path, _ in commands()}
    assert names >= {
        "README.md",
        "CONTRIBUTING.md",
        *(f"bundles/{name}/docs/README.md" for name in NAMES),
    }


@pytest.mark.parametrize(("document", "line"), commands(), ids=lambda value: str(value)[-60:])
def test_documented_command(document, line):
    words = shlex.split(line, comments=True)
    words = words[next(i for i, word in enumerate(words) if "=" not in word or word[0] == "-") :]
    if words[0] == "make":
        targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
        assert set(word for word in words[1:] if "=" not in word) <= targets
    elif "monai.bundle" in words:
        check_bundle_command(document, words)
    elif words[0] == "python" and "/tools/" in f"/{words[1]}":
        check_tool_command(document, words)
    elif words[:3] == ["python", "-m", "scripts"]:
        check_script_command(document, words[3:])
    elif words[:3] == ["python", "-m", "pytest"]:
        assert all((ROOT / word).exists() for word in words[3:] if "/" in word)
    elif words[0] == "idc":
        check_options(words[2:], "idc_index.cli", words[1])
    elif " -m dask " in line:
        command = words[words.index("dask") + 1]
        check_options([word for word in words if word != "&"], "dask", command)
    else:
        assert NOT_OURS.fullmatch(line), f"nothing checks `{line}`"


def test_patterns_of_folds_leave_out_runs_that_were_begun_anew():
    """`fold*` takes `fold0-2` too, which `--resume never` leaves beside `fold0`."""
    pages = [*DOCUMENTS, ROOT / "tools/repo/task_readme.md"]
    assert not [page for page in pages if re.search(r"fold\*", page.read_text())]


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if d.parents[1].name in SEGMENTATION])
def test_the_commands_of_one_walk_divide_and_read_the_data_alike(document):
    """A fold is evaluated with its own weights, the Decathlon's images are read as in training."""
    lines = [line for found, line in commands() if found == document and "bundle run" in line]
    of_fold = [line for line in lines if "evaluate.json" in line and " --fold " in line]
    assert not [line for line in of_fold if " --ckpt_path " not in line]
    is_trained = [line for line in lines if "configs/train.json" in line and "/data/Task" in line]
    assert not [line for line in of_fold + is_trained if " --datalist " not in line]
    corrected = [line for line in lines if "/Task09_Spleen/imagesTs" in line]
    assert not [line for line in corrected if " --msd_orientation True" not in line]


def check_bundle_command(document: Path, words: list[str]) -> None:
    """Config files exist in the bundle, every flag is declared by them, and epochs are whole."""
    action, flags = words[words.index("monai.bundle") + 1], {}
    for position, word in enumerate(words):
        if word.startswith("--") and position > words.index("monai.bundle"):
            flags[word[2:]] = words[position + 1] if position + 1 < len(words) else ""
    if action == "download_large_files":
        assert not flags and (document.parents[1] / "large_files.yml").is_file()
        return
    if action in ("download", "push_to_hf_hub"):  # they need the network
        assert {*flags} <= {*inspect.signature(getattr(monai.bundle, action)).parameters}
        return
    files = re.findall(r"configs/[\w/.]+\.json", flags.get("config_file", ""))
    files = [file for file in files if file not in OWN_OVERLAYS]
    bundles = [document.parents[1]] if document.parents[2] == BUNDLES else sorted(BUNDLES.iterdir())
    able = [bundle for bundle in bundles if all((bundle / file).is_file() for file in files)]
    assert files and able, "config files do not exist"
    if action == "run":
        for bundle in able:
            config = ConfigParser.load_config_files([str(bundle / file) for file in files])
            missing = [f for f in flags if f not in RUN_ARGUMENTS]
            missing = [f for f in missing if not is_declared(f, config)]
            if not missing:
                numbers = {f: int(v) for f, v in flags.items() if f.startswith("iterations")}
                check_multiples({**config, **numbers})
                return
        raise AssertionError(f"no config declares {missing}")


def documented_path(document: Path, path: str) -> Path:
    """What a command's path means, typed in the repository or in the folder of a bundle."""
    here = document.parents[1] if document.parents[2] == BUNDLES else ROOT
    paths = [(folder / path).resolve() for folder in (here, *sorted(BUNDLES.iterdir()))]
    return next(path for path in paths if path.exists())


def check_tool_command(document: Path, words: list[str]) -> None:
    """The tool's own parser takes the words."""
    folder = documented_path(document, words[1])
    assert folder.parent == ROOT / "tools" and (folder / "__main__.py").is_file()
    if folder.name == "deploy_app":  # the SDK's own parser; `make test-deploy` runs the command
        assert words[2::2] == ["-i", "-o", "-m"] and len(words) == 8
        return
    assert understand(
        importlib.import_module(f"tools.{folder.name}.commands").COMMANDS, arguments=words[2:]
    )


def check_script_command(document: Path, words: list[str]) -> None:
    """The bundle has the group of commands, and its parser takes the words."""
    inside = document.parents[2] == BUNDLES
    bundles = [document.parents[1].name] if inside else NAMES
    for bundle in bundles:
        import_scripts(bundle)
        groups = importlib.import_module("scripts.__main__").GROUPS
        if words[0] in groups:
            commands = importlib.import_module(groups[words[0]]).COMMANDS
            assert understand(commands, arguments=words[1:])
            return
    raise AssertionError(f"no bundle has the commands {words[0]}")


def check_options(words: list[str], module: str, command: str) -> None:
    """A package's own command knows every option: its help shows them."""
    shown = python(ROOT, "-m", module, command, "--help").stdout
    for option in (word.split("=")[0] for word in words if word.startswith("--")):
        assert re.search(rf"^ +{option} ", shown, re.M), f"{module} {command} knows no {option}"


def test_settings_of_the_allocator_are_those_that_the_code_makes():
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: KEPT_BYTES, M_TOP_PAD: STEP_BYTES}
    names = {M_MMAP_MAX: "MMAP_MAX", M_TRIM_THRESHOLD: "TRIM_THRESHOLD", M_TOP_PAD: "TOP_PAD"}
    wanted = "export " + " ".join(f"MALLOC_{names[n]}_={value}" for n, value in settings.items())
    shown = [(path.name, line) for path, line in commands() if "MALLOC_" in line]
    assert shown == [("monai_label.md", wanted), ("performance.md", wanted)]


def test_what_ci_runs_is_what_the_readme_says():
    ci = (ROOT / ".ci/run").read_text().splitlines()
    assert RUN_BY_CI <= set(ci)
    shown = {line for document, line in commands() if document == ROOT / "README.md"}
    assert {"make demo", "make test"} <= shown
