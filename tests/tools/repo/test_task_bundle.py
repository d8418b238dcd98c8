"""A bundle for each task: complete, checked as the bundles of the repository are, never half."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from bundle_runs import python_here, run_here
from helpers import BUNDLES, ROOT, forget_scripts, write_nifti
from monai.bundle import ConfigParser, ConfigWorkflow, verify_net_in_out

from common.cli.commands import run
from common.cli.flags import is_declared
from tools.repo.commands import COMMANDS
from tools.repo.specialise import specialise
from tools.repo.task_bundle import bundle_name

TASKS = sorted(path.stem for path in (BUNDLES / "msd_tasks/configs/tasks").glob("*.json"))
SCHEMA = Path(os.environ.get("REAL_DATA_DIR", ""), "meta_schema_20240725.json")
SMALL = {"network_def::feature_size": 12, "network_def::depths": [1, 1, 1, 1]}


def make(task: str, folder: Path) -> Path:
    run(COMMANDS, arguments=["task_bundle", task, str(folder)])
    return folder / bundle_name(task)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    return {task: make(task, folder) for task in TASKS}


def load(bundle: Path, name: str) -> dict:
    return json.loads((bundle / f"configs/{name}.json").read_text())


def use_scripts(bundle: Path) -> None:
    forget_scripts()
    sys.path.insert(0, str(bundle))


def test_there_is_one_for_each_of_the_ten_tasks(bundles):
    names = [bundle.name for bundle in bundles.values()]
    assert len(TASKS) == 10 and not [name for name in names if "_v" in name]
    assert {"msd_task07_pancreas_segmentation", "msd_task08_hepaticvessel_segmentation"} < {*names}
    (folder,) = {bundle.parent for bundle in bundles.values()}
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)  # nothing temporary


@pytest.mark.parametrize("task", TASKS)
def test_files_are_complete_and_of_this_task_alone(task, bundles):
    bundle = bundles[task]
    files = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    configs = ("train", "inference", "evaluate", "multi_gpu_train", "demo", "metadata")
    assert files >= {f"configs/{name}.json" for name in configs} | {"configs/logging.conf"}
    assert files >= {"LICENSE", "large_files.yml", "docs/README.md", "docs/data_license.txt"}
    common = BUNDLES / "msd_tasks/scripts/common"
    copies = {path.relative_to(common.parents[1]).as_posix() for path in common.rglob("*.py")}
    assert files >= copies and not [name for name in files if "__pycache__" in name]
    assert (bundle / "configs/train.json").read_text().count("\n") <= 265  # as the bundles' own
    others = set(TASKS) - {task}
    for name in (name for name in files if name.startswith(("configs/", "docs/"))):
        text = (bundle / name).read_text()
        assert not [other for other in others if other in text], name
        assert name.endswith(".txt") or not re.search(r"\{\w+\}", text), name


@pytest.mark.parametrize("task", TASKS)
def test_configs_are_made_by_the_function_that_makes_the_bundles(task, bundles):
    content = json.loads((BUNDLES / f"msd_tasks/configs/tasks/{task}.json").read_text())
    for path in (ROOT / "common/configs/segmentation").glob("*.json"):
        workflow = json.loads(path.read_text())
        assert load(bundles[task], path.stem) == specialise(workflow, content)
    if task == "Task09_Spleen":
        for name in ("train", "inference", "evaluate"):
            assert load(bundles[task], name) == load(BUNDLES / "msd_tasks", name)


@pytest.mark.parametrize("task", TASKS)
def test_metadata_is_the_tasks(task, bundles):
    train, metadata = load(bundles[task], "train"), load(bundles[task], "metadata")
    image = metadata["network_data_format"]["inputs"]["image"]
    scores = metadata["network_data_format"]["outputs"]["pred"]
    assert scores["channel_def"] == train["labels"]
    assert scores["num_channels"] == len(train["labels"])
    assert image["num_channels"] == train["channels"] == len(image["channel_def"])
    assert list(image["channel_def"].values()) == (train["channel_names"] or ["image"])
    assert image["spatial_shape"] == scores["spatial_shape"] == train["patch_size"]
    assert (image["modality"] == "CT") == (len(image["value_range"]) == 2)
    own = load(BUNDLES / "msd_tasks", "metadata")["network_data_format"]
    if task == "Task09_Spleen":
        assert metadata["network_data_format"] == own
    if task == "Task06_Lung":
        assert image["value_range"] == [-2.7, 1.5]


@pytest.mark.skipif(not SCHEMA.is_file(), reason="REAL_DATA_DIR has no schema of metadata")
@pytest.mark.parametrize("task", TASKS)
def test_metadata_passes_the_official_schema(task, bundles):
    words = ("verify_metadata", "--meta_file", "configs/metadata.json", "--filepath", SCHEMA)
    python_here(bundles[task], "-m", "monai.bundle", *words)


def fast(*tasks: str) -> list:
    """All ten tasks; those that are not named are for the slow tests."""
    return [t if t in tasks else pytest.param(t, marks=pytest.mark.slow) for t in TASKS]


# MR of several channels, MR of one, CT
@pytest.mark.parametrize("task", fast("Task01_BrainTumour", "Task04_Hippocampus", "Task09_Spleen"))
def test_properties_are_complete(task, bundles, tmp_path):
    bundle, channels = bundles[task], load(bundles[task], "train")["channels"]
    for number in range(5):
        shape = (8, 8, 8, channels) if channels > 1 else (8, 8, 8)
        write_nifti(tmp_path / f"imagesTr/a{number}.nii.gz", np.zeros(shape, np.int16))
        write_nifti(tmp_path / f"labelsTr/a{number}.nii.gz", np.zeros((8, 8, 8), np.uint8))
    use_scripts(bundle)
    for name, kind in (("train", "train"), ("inference", "infer")):
        workflow = ConfigWorkflow(
            str(bundle / f"configs/{name}.json"),
            meta_file=str(bundle / "configs/metadata.json"),
            logging_file=False,
            workflow_type=kind,
            dataset_dir=str(tmp_path),
            bundle_root=str(tmp_path / "root"),
            **SMALL,
            **({"cache_rate": 0.0, "num_workers": 0} if kind == "train" else {}),
        )
        workflow.initialize()
        assert workflow.check_properties() == []
        workflow.finalize()


@pytest.mark.parametrize("task", fast("Task04_Hippocampus", "Task09_Spleen"))
def test_network_takes_and_gives_what_the_metadata_says(task, bundles):
    use_scripts(bundles[task])
    verify_net_in_out(
        "network_def",
        meta_file=str(bundles[task] / "configs/metadata.json"),
        config_file=str(bundles[task] / "configs/inference.json"),
        device="cpu",
        **SMALL,
    )


@pytest.mark.parametrize("task", TASKS)
def test_the_readmes_commands_name_files_and_flags_that_are_there(task, bundles):
    text = (bundles[task] / "docs/README.md").read_text()
    is_ct = load(bundles[task], "train")["modality"] == "CT"
    assert ("--pretrained pretrained" in text) == is_ct
    commands = re.findall(r"^.*monai\.bundle run.*$", text, re.M)
    assert len(commands) == 6
    for command in commands:
        files = [bundles[task] / name for name in re.findall(r"configs/\w+\.json", command)]
        config = ConfigParser.load_config_files([str(file) for file in files])
        flags = set(re.findall(r"--(\w+)", command)) - {"config_file", "nproc_per_node"}
        assert [flag for flag in flags if not is_declared(flag, config)] == []


def test_one_runs_by_itself(bundles, phantoms, tmp_path):
    bundle = shutil.copytree(bundles["Task09_Spleen"], tmp_path / "moved")
    short = ["--epochs", 1, "--val_interval", 1]
    run_here(bundle, "train demo", "--dataset_dir", phantoms / "Task09_Spleen", *short)
    images = phantoms / "Task09_Spleen/imagesTs"
    run_here(bundle, "inference demo", "--dataset_dir", images)
    assert len(list((bundle / "predictions").iterdir())) == len(list(images.iterdir()))


def test_its_submission_is_of_its_task(bundles, tmp_path):
    command = ["-m", "scripts", "submission", "make", tmp_path, tmp_path / "a.zip"]
    done = python_here(bundles["Task07_Pancreas"], *command, check=False)
    assert done.returncode == 1 and "of a task, such as Task07_Pancreas; give" in done.stderr


# What is there already


def test_an_older_bundle_of_the_task_is_replaced(tmp_path):
    bundle = make("Task02_Heart", tmp_path)
    (bundle / "LICENSE").write_text("old")
    cache = bundle / "scripts/__pycache__"
    cache.mkdir()
    make("Task02_Heart", tmp_path)
    assert (bundle / "LICENSE").read_text() != "old" and not cache.exists()
    assert [path.name for path in tmp_path.iterdir()] == [bundle.name]


@pytest.mark.parametrize(
    ("name", "words"),
    [("models/model.pt", "models would be lost"), ("docs/mine.md", "docs/mine.md would be lost")],
)
def test_files_of_the_user_are_not_lost(name, words, tmp_path):
    bundle = make("Task02_Heart", tmp_path)
    (bundle / name).parent.mkdir(exist_ok=True)
    (bundle / name).write_text("mine")
    words = words.replace(" would", " is not written by this command and would")
    with pytest.raises(SystemExit, match=words):
        make("Task02_Heart", tmp_path)
    assert (bundle / name).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [bundle.name]


@pytest.mark.parametrize("content", [None, "{}", '{"name": "Task03_Liver with Swin UNETR"}'])
def test_another_folder_is_not_replaced(content, tmp_path):
    folder = tmp_path / bundle_name("Task02_Heart")
    (folder / "configs").mkdir(parents=True)
    if content:
        (folder / "configs/metadata.json").write_text(content)
    with pytest.raises(SystemExit, match="heart_segmentation is there and no bundle of this task"):
        make("Task02_Heart", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_an_unknown_task_lists_the_ten(tmp_path):
    with pytest.raises(SystemExit, match=f"Task11_X is no task .*{', '.join(TASKS)}"):
        make("Task11_X", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    for folder in ("file", "file/out"):
        with pytest.raises(SystemExit, match=f"^error: {tmp_path}/{folder} cannot be written"):
            make("Task02_Heart", tmp_path / folder)


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tools.repo.task_bundle.readme", lambda task: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make("Task02_Heart", tmp_path)
    assert list(tmp_path.iterdir()) == []
