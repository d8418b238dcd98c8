"""A release downloaded as a user does, from a local server with the addresses of GitHub."""

import functools
import http.server
import json
import os
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
from bundle_runs import python, python_here
from helpers import ROOT
from monai.bundle import ConfigParser
from monai.networks.nets import SwinUNETR

from common.cli.commands import run
from common.weights.preprocessing_note import with_metadata
from tools.release import monai_checks
from tools.release.archive import checksum
from tools.release.commands import COMMANDS

pytestmark = pytest.mark.slow
PATH = "OWNER/REPOSITORY/releases/download/0.1.0"
DEMO = "btcv_demo_segmentation"


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Weights of the demo's network, not trained: their labels are wrong, and the way is right."""
    demo = json.loads((ROOT / "bundles/btcv_segmentation/configs/demo.json").read_text())
    torch.manual_seed(0)
    network = SwinUNETR(
        in_channels=1,
        out_channels=14,
        feature_size=demo["network_def::feature_size"],
        depths=demo["network_def::depths"],
        num_heads=[3, 6, 12, 24],
        window_size=demo["network_def::window_size"],
        use_v2=False,
    )
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    torch.save(with_metadata(network.state_dict(), {"task": "BTCV"}, "current"), path)
    return path


@pytest.fixture(scope="module")
def served(weights, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """The address of the release, and its folder."""
    top = tmp_path_factory.mktemp("server")
    release = top / PATH
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(top))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        address = f"http://127.0.0.1:{server.server_port}/{PATH}"
        words = ["--demo_weights", str(weights), "--address", address]
        run(COMMANDS, arguments=["build", str(release), *words])
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield address, release
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def downloaded(served, tmp_path_factory) -> Path:
    """The demo's bundle, by the documented command."""
    folder, (address, _) = tmp_path_factory.mktemp("downloaded"), served
    url = f"{address}/{DEMO}_v0.1.0.zip"
    words = ["--name", DEMO, "--url", url, "--bundle_dir", folder]
    python(folder, "-m", "monai.bundle", "download", *words)
    return folder / DEMO


def test_checksums_are_read_by_the_documented_command(served):
    _, release = served
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=release, check=True)


def test_the_downloaded_folder_segments_alone(downloaded):
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file"]
    done = subprocess.run(
        [*command, "configs/inference.json"],
        cwd=downloaded,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    image = nib.load(downloaded / "example/phantom.nii.gz")
    labels = nib.load(downloaded / "predictions/phantom_seg.nii.gz")
    assert labels.shape == image.shape and np.allclose(labels.affine, image.affine)
    shutil.rmtree(downloaded / "predictions")


def test_its_weights_are_stamped_as_trained_on_phantoms(downloaded, weights):
    state = torch.load(downloaded / "models/model.pt", weights_only=True)
    original = torch.load(weights, weights_only=True)
    assert state._metadata["trained_with"]["trained_on"] == "phantoms"
    assert all(torch.equal(state[name], original[name]) for name in original)


def test_monai_loads_the_network_with_its_weights(downloaded):
    code = (
        "from monai.bundle import load\n"
        f"network = load({DEMO!r}, bundle_dir={str(downloaded.parent)!r}, "
        "source='github', repo='OWNER/REPOSITORY/0.1.0')\n"
        f"import torch\nstate = torch.load({str(downloaded / 'models/model.pt')!r})\n"
        "same = all(torch.equal(v, state[k]) for k, v in network.state_dict().items())\n"
        "print('same weights' if same else 'other weights')\n"
    )
    assert "same weights" in python(downloaded, "-c", code).stdout


def test_a_workflow_is_created_and_run(downloaded, tmp_path):
    code = (
        "from monai.bundle import create_workflow\n"
        "workflow = create_workflow(config_file='configs/inference.json', workflow_type='infer', "
        f"meta_file='configs/metadata.json', logging_file=False, output_dir={str(tmp_path)!r})\n"
        "workflow.run()\nworkflow.finalize()\n"
    )
    python(downloaded, "-c", code)
    assert [path.name for path in tmp_path.iterdir()] == ["phantom_seg.nii.gz"]


def test_every_zip_of_the_release_is_verified(served, tmp_path, capsys):
    _, release = served
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"type": "object", "required": ["version"]}))
    official = Path(os.environ.get("REAL_DATA_DIR", ""), "meta_schema_20240725.json")
    zips = sorted(map(str, release.glob("*.zip")))
    words = ["--schema", str(official if official.is_file() else schema)]
    run(COMMANDS, arguments=["verify", *zips, *words])
    lines = capsys.readouterr().out.splitlines()
    assert len(zips) == 14 and len(lines) == 14 * 11
    assert all(line.endswith(": ok") for line in lines)


@pytest.mark.parametrize(("is_right", "words"), [(True, ""), (False, "check_hash failed")])
def test_large_files_are_downloaded_and_their_hash_compared(is_right, words, served, tmp_path):
    address, release = served
    name = "RELEASE_NOTES.md"
    digits = checksum(release / name) if is_right else "0" * 64
    entry = {"path": f"pretrained/{name}", "url": f"{address}/{name}"}
    entry |= {"hash_val": digits, "hash_type": "sha256"}
    (tmp_path / "large_files.yml").write_text(yaml.safe_dump({"large_files": [entry]}))
    done = python(tmp_path, "-m", "monai.bundle", "download_large_files", check=False)
    assert (done.returncode == 0) == is_right and words in done.stderr + done.stdout
    if is_right:
        assert (tmp_path / entry["path"]).read_bytes() == (release / name).read_bytes()


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


def test_its_training_runs_with_the_merged_configs(downloaded, phantoms, tmp_path):
    bundle = shutil.copytree(downloaded, tmp_path / DEMO)
    words = ["--config_file", "configs/train.json", "--dataset_dir", phantoms / "btcv"]
    words += ["--epochs", 1, "--val_interval", 1]
    python_here(bundle, "-m", "monai.bundle", "run", *words)
    assert (bundle / "runs/demo/metrics.csv").is_file()
