"""A release, downloaded and run as a user does, from a local server with GitHub's addresses.

`make test-slow` runs this file with the Python of the tests. `make test-release` gives the Python
of an empty environment by RELEASE_PYTHON; then the fixtures install what the metadata requires, and
no more: first of pretrain_ssl, which needs fewest, then of the release. The order of the tests
follows from that.
"""

import functools
import http.server
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
import yaml
from bundle_runs import checked
from helpers import ROOT
from monai.bundle import ConfigParser
from release_checkout import write_checkout, write_demo
from weight_layouts import built

from common.cli.commands import run
from tools.release import monai_checks
from tools.release.archive import checksum
from tools.release.commands import COMMANDS
from tools.release.demo_bundle import WEIGHTS
from tools.release.pages import required_versions

pytestmark = pytest.mark.slow
PATH = "OWNER/REPOSITORY/releases/download/0.1.0"
DEMO = "btcv_demo_segmentation"
SEGMENTED = "img0101_seg.nii.gz"
EMPTY = os.environ.get("RELEASE_PYTHON")
ONNX = ("onnx", "onnxscript", "onnxruntime")  # of docs/export.md
TRACED = ("--config_file", "configs/inference.json", "--use_trace", "True")


class User:
    """Runs commands by a Python, in a folder, without what the tests have on their path."""

    def __init__(self, executable: str) -> None:
        self.executable = executable

    def python(self, folder: Path, *words, check: bool = True) -> subprocess.CompletedProcess:
        env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        command = [self.executable, *map(str, words)]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        return checked(done) if check else done

    def run(self, bundle: Path, *files: str, **knobs) -> None:
        """`python -m monai.bundle run`; knobs are flags."""
        flags = [word for key, value in knobs.items() for word in (f"--{key}", value)]
        names = str([f"configs/{name}.json" for name in files])
        self.python(bundle, "-m", "monai.bundle", "run", "--config_file", names, *flags)

    def install(self, *words) -> None:
        """`pip install` into an environment that was empty; the tests' own stays as it is."""
        if EMPTY:
            pip = ("-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt")
            self.python(ROOT, *pip, *words)

    def download(self, name: str, address: str, folder: Path) -> Path:
        """The documented command; returns the folder of the bundle."""
        url = f"{address}/{name}_v0.1.0.zip"
        words = ["--name", name, "--url", url, "--bundle_dir", folder]
        self.python(folder, "-m", "monai.bundle", "download", *words)
        return folder / name


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    root = write_checkout(tmp_path_factory.mktemp("checkout"))
    write_demo(root)
    return root


@pytest.fixture(scope="module")
def served(checkout, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """The address of the release, and its folder."""
    top = tmp_path_factory.mktemp("server")
    release = top / PATH
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(top))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        address = f"http://127.0.0.1:{server.server_port}/{PATH}"
        words = ["--with_demo_weights", "--address", address, "--root", str(checkout)]
        run(COMMANDS, arguments=["build", str(release), *words])
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield address, release
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def pretraining_user() -> User:
    """Has what pretrain_ssl requires."""
    user = User(EMPTY or sys.executable)
    metadata = json.loads((ROOT / "bundles/pretrain_ssl/configs/metadata.json").read_text())
    versions = required_versions(metadata)
    user.install(*(f"{name}=={version}" for name, version in versions.items()))
    return user


@pytest.fixture(scope="module")
def user(pretraining_user, served) -> User:
    """Has what the bundles of the release require, by the documented command."""
    pretraining_user.install("--requirement", f"{served[0]}/requirements.txt")
    return pretraining_user


@pytest.fixture(scope="module")
def downloaded(user, served, tmp_path_factory) -> Path:
    """The demo's bundle, with its labels of the example."""
    bundle = user.download(DEMO, served[0], tmp_path_factory.mktemp("downloaded"))
    user.run(bundle, "inference")
    return bundle


def labels_in(folder: Path) -> np.ndarray:
    return np.asanyarray(nib.load(folder / SEGMENTED).dataobj)


def installed(user: User) -> set[str]:
    shown = user.python(ROOT, "-m", "pip", "list", "--format", "json").stdout
    return {package["name"].lower() for package in json.loads(shown)}


def test_pretraining_needs_what_its_metadata_requires(pretraining_user, served, phantoms, tmp_path):
    bundle = pretraining_user.download("pretrain_ssl", served[0], tmp_path)
    if EMPTY:
        names = installed(pretraining_user)
        assert "nibabel" in names and not names & {"scipy", "pandas", "matplotlib", "pyyaml"}
    corpus = phantoms / "corpus"
    steps = {"iterations": 2, "iterations_per_epoch": 1, "batch_size": 2}
    pretraining_user.run(bundle, "train", "demo", dataset_dir=corpus, **steps)
    pretraining_user.run(bundle, "train", "demo", "evaluate", dataset_dir=corpus, batch_size=2)
    pretraining_user.run(bundle, "inference", "demo", dataset_dir=corpus)
    pretraining_user.run(bundle, "export_encoder")
    assert (bundle / "models/encoder.pt").is_file()
    assert len(list((bundle / "predictions").rglob("*_reconstruction.nii.gz"))) == 4
    done = pretraining_user.python(
        bundle, "-m", "scripts", "weights", "download", "x.pt", check=False
    )
    assert "error: pretrain_ssl has no large_files.yml" in done.stderr


def test_checksums_are_read_by_the_documented_command(served):
    _, release = served
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=release, check=True)


def test_the_downloaded_folder_segments_alone(downloaded, user):
    if EMPTY:
        assert not installed(user) & {"matplotlib", "simpleitk", "pydicom", "onnx"}
    image = nib.load(downloaded / "example/img/img0101.nii.gz")
    labels = nib.load(downloaded / "predictions" / SEGMENTED)
    assert labels.shape == image.shape and np.allclose(labels.affine, image.affine)
    assert len(np.unique(labels.dataobj)) > 1


def test_its_example_is_evaluated_without_another_flag(downloaded, user):
    user.run(downloaded, "train", "evaluate")
    lines = (downloaded / "evaluation/metrics.csv").read_text().splitlines()
    assert any(line.startswith("img0101") for line in lines)
    shutil.rmtree(downloaded / "evaluation")


def test_its_weights_are_stamped_as_trained_on_phantoms(downloaded, checkout, user):
    state = torch.load(downloaded / "models/model.pt", weights_only=True)
    original = torch.load(checkout / WEIGHTS, weights_only=True)
    assert state._metadata["trained_with"]["trained_on"] == "phantoms"
    shown = user.python(downloaded, "-m", "scripts", "weights", "inspect", "models/model.pt").stdout
    assert re.search("^training +(.*, )?on phantoms$", shown, re.M)
    assert all(torch.equal(state[name], original[name]) for name in original)


def test_monai_loads_the_network_with_its_weights(downloaded, user):
    code = (
        "from monai.bundle import load\n"
        f"network = load({DEMO!r}, bundle_dir={str(downloaded.parent)!r}, "
        "source='github', repo='OWNER/REPOSITORY/0.1.0')\n"
        f"import torch\nstate = torch.load({str(downloaded / 'models/model.pt')!r})\n"
        "same = all(torch.equal(v, state[k]) for k, v in network.state_dict().items())\n"
        "print('same weights' if same else 'other weights')\n"
    )
    assert "same weights" in user.python(downloaded, "-c", code).stdout


def test_a_workflow_is_created_and_run(downloaded, user, tmp_path):
    code = (
        "from monai.bundle import create_workflow\n"
        "workflow = create_workflow(config_file='configs/inference.json', workflow_type='infer', "
        f"meta_file='configs/metadata.json', logging_file=False, output_dir={str(tmp_path)!r})\n"
        "workflow.run()\nworkflow.finalize()\n"
    )
    user.python(downloaded, "-c", code)
    assert [path.name for path in tmp_path.iterdir()] == [SEGMENTED]


def test_every_zip_of_the_release_is_verified(served, tmp_path, capsys):
    _, release = served
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"type": "object", "required": ["version"]}))
    official = Path(os.environ.get("REAL_DATA_DIR", ""), "meta_schema_20240725.json")
    zips = sorted(map(str, release.glob("*.zip")))
    words = ["--schema", str(official if official.is_file() else schema)]
    run(COMMANDS, arguments=["verify", *zips, *words])
    lines = capsys.readouterr().out.splitlines()
    assert len(zips) == 14 and len(lines) == 14 * 13
    assert all(line.endswith(": ok") for line in lines)


@pytest.mark.parametrize(("is_right", "words"), [(True, ""), (False, "check_hash failed")])
def test_large_files_are_downloaded_and_their_hash_compared(
    is_right, words, served, user, tmp_path
):
    address, release = served
    name = "RELEASE_NOTES.md"
    digits = checksum(release / name) if is_right else "0" * 64
    entry = {"path": f"pretrained/{name}", "url": f"{address}/{name}"}
    entry |= {"hash_val": digits, "hash_type": "sha256"}
    bundle = user.download("btcv_segmentation", address, tmp_path)
    (bundle / "large_files.yml").write_text(yaml.safe_dump({"large_files": [entry]}))
    done = user.python(bundle, "-m", "monai.bundle", "download_large_files", check=False)
    assert (done.returncode == 0) == is_right and words in done.stderr + done.stdout
    (bundle / entry["path"]).unlink(missing_ok=True)
    done = user.python(bundle, "-m", "scripts", "weights", "download", name, check=False)
    assert (done.returncode == 0) == is_right
    if is_right:
        assert (bundle / entry["path"]).read_bytes() == (release / name).read_bytes()
    else:
        assert "its hash is not the expected one" in done.stderr


def test_the_quickstart_segments_a_ct_with_public_weights(served, user, phantoms, tmp_path):
    """Its commands as they stand there, on a file of the zoo's layout and size."""
    section = (ROOT / "docs/quickstart.md").read_text().partition("\n## Your CT")[2]
    first, *commands = re.search("```bash\n(.*?)\n```", section, re.S)[1].splitlines()
    assert first == "cd bundles/btcv_segmentation" and len(commands) == 3
    address, release = served
    bundle = user.download("btcv_segmentation", address, tmp_path)
    network = built("legacy", feature_size=48, depths=[2, 2, 2, 2], window_size=[7, 7, 7])
    entries = yaml.safe_load((bundle / "large_files.yml").read_text())["large_files"]
    entry = next(entry for entry in entries if f" {entry['path']}" in commands[1])
    name = Path(entry["path"]).name
    torch.save(network.state_dict(), release / name)
    entry |= {"url": f"{address}/{name}", "hash_val": checksum(release / name, "md5")}
    (bundle / "large_files.yml").write_text(yaml.safe_dump({"large_files": entries}))
    whole = nib.load(phantoms / "btcv/RawData/Training/img/img0001.nii.gz")
    ct = tmp_path / "patient.nii.gz"
    whole.slicer[20:36, 20:36, 10:26].to_filename(ct)  # one window
    printed = ""
    for command in commands:
        words = shlex.split(command.replace("/data/ct/patient.nii.gz", str(ct)))
        done = user.python(bundle, *words[1:])
        printed += done.stdout + done.stderr
    (release / name).unlink()
    assert "merging       legacy" in printed and "patch merging legacy" in printed
    assert nib.load(bundle / "predictions/patient_seg.nii.gz").shape == nib.load(ct).shape


def test_the_configs_of_the_demo_need_no_overlay(downloaded):
    bundle = ROOT / "bundles/btcv_segmentation/configs"
    for name in ("train", "inference"):
        merged = ConfigParser.load_config_files([str(bundle / f"{name}.json")])
        demo = json.loads((bundle / "demo.json").read_text())
        config = json.loads((downloaded / f"configs/{name}.json").read_text())
        assert config["spacing_mm"] == demo["spacing_mm"] and config["patch_size"] == [64, 64, 32]
        assert config["network_def"]["depths"] == [1, 1, 1, 1]
        assert config["network_def"]["num_heads"] == merged["network_def"]["num_heads"]
    assert monai_checks.network_shapes(monai_checks.Bundle(downloaded)) == []


def test_it_is_trained_and_evaluated(downloaded, user, phantoms, tmp_path):
    bundle = shutil.copytree(downloaded, tmp_path / DEMO)
    images = phantoms / "btcv"
    user.run(bundle, "train", dataset_dir=images, epochs=1, val_interval=1)
    user.run(bundle, "train", "evaluate", dataset_dir=images)
    assert (bundle / "runs/demo/metrics.csv").is_file()
    assert "dice" in json.loads((bundle / "evaluation/summary.json").read_text())


def test_torchscript_gives_the_same_labels(downloaded, user, tmp_path):
    user.python(downloaded, "-m", "monai.bundle", "ckpt_export", "network_to_export", *TRACED)
    user.run(downloaded, "inference", "inference_torchscript", output_dir=tmp_path)
    differing = labels_in(tmp_path) != labels_in(downloaded / "predictions")
    # 1 of 956,808 voxels differs, in every run, with trained and with random weights
    assert differing.mean() <= 1e-5, f"{differing.sum()} of {differing.size} voxels differ"


def test_onnx_gives_the_same_labels_with_the_optional_packages(downloaded, user, tmp_path):
    metadata = json.loads((downloaded / "configs/metadata.json").read_text())
    optional = metadata["optional_packages"]
    user.install(*(f"{name}=={optional[name]}" for name in ONNX))
    files = ("--filepath", "models/model.onnx", "--ckpt_file", "models/model.pt")
    words = ("network_to_export", *files, "--meta_file", "configs/metadata.json", *TRACED)
    user.python(downloaded, "-m", "monai.bundle", "onnx_export", *words)
    command = ("weights", "add_note", "models/model.onnx", "models/model.pt")
    user.python(downloaded, "-m", "scripts", *command)
    user.run(downloaded, "inference", "inference_onnx", output_dir=tmp_path)
    labels, eager = labels_in(tmp_path), labels_in(downloaded / "predictions")
    assert (labels != eager).mean() <= 1e-4  # see tests/btcv_segmentation/test_export_runs.py
