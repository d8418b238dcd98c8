"""What every bundle promises of its files: metadata, properties, the network's shapes, sizes."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from pydoc import locate

import pytest
from bundle_runs import python_here
from helpers import BUNDLES, ROOT, config_files
from monai.bundle import ConfigWorkflow, verify_net_in_out

NAMES = ["btcv_segmentation", "msd_tasks", "pretrain_ssl"]
DATA = {"btcv_segmentation": "btcv", "msd_tasks": "Task09_Spleen", "pretrain_ssl": "corpus"}
OVERLAYS = ["", " evaluate", " multi_gpu_train"]
ONE_PROCESS = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
MOST_LINES = {"train": 257, "inference": 170, "evaluate": 55, "multi_gpu_train": 40}
MOST_KNOBS = 45


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_there_are_three_bundles_each_complete():
    assert sorted(path.name for path in BUNDLES.iterdir()) == NAMES
    for name in NAMES:
        configs = {path.name for path in (BUNDLES / name / "configs").iterdir()}
        assert configs >= {"metadata.json", "train.json", "multi_gpu_train.json", "logging.conf"}
        assert configs >= {"evaluate.json", "inference.json", "demo.json"}
        for path in ("LICENSE", "docs/README.md", "docs/data_license.txt", "scripts/__main__.py"):
            assert (BUNDLES / name / path).is_file(), f"{name}/{path}"


def test_one_version_stands_everywhere():
    versions = {
        f"{name}/metadata.json": json.loads((BUNDLES / name / "configs/metadata.json").read_text())[
            "version"
        ]
        for name in NAMES
    }
    for name, pattern in (("setup.cfg", r"^version = (.*)$"), ("CITATION.cff", r"^version: (.*)$")):
        versions[name] = re.search(pattern, (ROOT / name).read_text(), flags=re.MULTILINE)[1]
    assert len(set(versions.values())) == 1, versions


@pytest.mark.parametrize("name", NAMES)
def test_metadata_passes_the_official_schema(name, tmp_path):
    schema = Path(os.environ.get("REAL_DATA_DIR", ""), "meta_schema_20240725.json")
    if not schema.is_file():
        pytest.skip("REAL_DATA_DIR holds no copy of MONAI's metadata schema")
    python_here(
        BUNDLES / name,
        *("-m", "monai.bundle", "verify_metadata", "--meta_file", "configs/metadata.json"),
        *("--filepath", schema),
    )


@pytest.mark.parametrize("name", NAMES)
def test_metadata_names_the_tested_versions(name):
    metadata = json.loads((BUNDLES / name / "configs/metadata.json").read_text())
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line
    )
    packages = metadata["required_packages_version"] | metadata["optional_packages"]
    wanted = packages | {
        "monai": metadata["monai_version"],
        "torch": metadata["pytorch_version"],
        "numpy": metadata["numpy_version"],
    }
    assert wanted == {package: pinned[package] for package in wanted}


@pytest.mark.parametrize("name", NAMES)
def test_configs_fit_on_a_few_screens(name):
    for config, most in MOST_LINES.items():
        text = (BUNDLES / name / f"configs/{config}.json").read_text()
        assert text.count("\n") <= most, config
    train = json.loads((BUNDLES / name / "configs/train.json").read_text())
    assert list(train).index("network_def") - len(["_desc_", "imports"]) <= MOST_KNOBS


@pytest.mark.parametrize("name", NAMES)
def test_every_part_that_a_config_names_exists(name, load_scripts):
    load_scripts(name)
    texts = [path.read_text() for path in sorted((BUNDLES / name / "configs").rglob("*.json"))]
    targets = {*re.findall(r'"_target_": "(scripts\.[^"]+)"', "".join(texts))}
    assert len(targets) > 10
    missing = [target for target in sorted(targets) if locate(target) is None]
    assert not missing


@pytest.mark.parametrize(
    ("name", "configs", "kind"),
    [(name, f"train{overlay}", "train") for name in NAMES for overlay in OVERLAYS]
    + [("msd_tasks", "train tasks/Task09_Spleen", "train")]
    + [(name, "inference", "infer") for name in NAMES],
)
def test_properties_are_complete(
    name, configs, kind, phantoms, tmp_path, load_scripts, monkeypatch
):
    load_scripts(name)
    for variable, value in (ONE_PROCESS | {"MASTER_PORT": str(free_port())}).items():
        monkeypatch.setenv(variable, value)
    workflow = ConfigWorkflow(
        config_files(name, *configs.split()),
        meta_file=str(BUNDLES / name / "configs/metadata.json"),
        logging_file=False,
        workflow_type=kind,
        dataset_dir=str(phantoms / DATA[name]),
        bundle_root=str(tmp_path),
        **(nothing_kept(name) if kind == "train" else {}),
    )
    workflow.initialize()
    try:
        assert workflow.check_properties() == []
    finally:
        workflow.finalize()


def nothing_kept(name: str) -> dict:
    """Flags by which a data set neither reads ahead nor keeps volumes."""
    return {"num_workers": 0, "cache_rate" if name == "pretrain_ssl" else "cache_gb": 0}


@pytest.mark.parametrize("name", NAMES)
# training has the same network, see test_configs_agree.py
@pytest.mark.parametrize("config", [pytest.param("train", marks=pytest.mark.slow), "inference"])
def test_network_takes_and_gives_what_the_metadata_says(name, config, load_scripts):
    load_scripts(name)
    encoder = "encoder::embed_dim" if name == "pretrain_ssl" else "feature_size"
    verify_net_in_out(
        "network_def",
        meta_file=str(BUNDLES / name / "configs/metadata.json"),
        config_file=config_files(name, config),
        device="cpu",
        **{f"network_def::{encoder}": 12},
    )


@pytest.mark.parametrize("names", [["btcv_segmentation", "msd_tasks"], ["pretrain_ssl"]])
def test_serving_needs_no_package_of_training(names, tmp_path):
    """All that `inference.json` names is imported without them, DICOM's readers included.

    A segmentation is served without ignite, tqdm, fire and scipy too.
    """
    segmentation = names != ["pretrain_ssl"]
    code = f"""
import importlib, re, sys
from pydoc import locate
absent = ["tensorboard", "matplotlib", "pandas", "pydicom", "gdcm", "SimpleITK"]
if {segmentation}:
    absent += ["ignite", "tqdm", "fire", "scipy"]
for package in absent:
    sys.modules[package] = None  # as if it were not installed
for name in {names}:
    bundle = {str(BUNDLES)!r} + "/" + name
    for module in [m for m in sys.modules if m.split(".")[0] == "scripts"]:
        del sys.modules[module]
    sys.path.insert(0, bundle)
    text = open(bundle + "/configs/inference.json").read()
    for module in re.findall(r"import (scripts[\\w.]+) as", text):
        importlib.import_module(module)
    for target in re.findall(r'"(scripts[\\w.]+)"', text):
        assert locate(target, forceload=0) is not None, target
    print(name, len(re.findall(r'"scripts', text)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == names
    assert all(int(count) >= 5 for count in re.findall(r" (\d+)", done.stdout))
