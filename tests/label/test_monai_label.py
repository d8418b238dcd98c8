"""A MONAI Label server with both segmentation bundles gives the command's labels, and trains.

Run by `make test-label`. LABEL_PYTHON names the Python of an environment that holds MONAI Label.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from bundle_runs import copy_bundle, make_small, run
from helpers import BUNDLES

from tools.phantom.dicom import write_series

pytestmark = pytest.mark.label
NAMES = ("btcv_segmentation", "msd_tasks")


class Server:
    """Talks to a running server, as 3D Slicer's extension does.

    Args:
        url: of the server.
        app: its folder, which has the bundles in `model`.
        studies: the folder of its images.
    """

    def __init__(self, url: str, app: Path, studies: Path) -> None:
        self.url, self.app, self.studies = url, app, studies

    def ask(self, path: str, method: str = "GET", timeout: int = 300, **body) -> bytes:
        request = urllib.request.Request(self.url + path, method=method)
        data = None
        if body:
            request.add_header("Content-Type", "application/json")
            data = json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=timeout) as answer:
            return answer.read()

    def infer(self, name: str, image: str, out: Path) -> np.ndarray:
        """Labels (X, Y, Z) of an image of the studies' folder."""
        query = urllib.parse.urlencode({"image": image, "output": "image"})
        params = {"device": "cpu"}
        if Path(image).is_dir():  # of a folder the server does not know the form of the answer
            params["result_extension"] = ".nii.gz"
        form = urllib.parse.urlencode({"params": json.dumps(params)}).encode()
        with urllib.request.urlopen(
            f"{self.url}/infer/{name}?{query}", form, timeout=300
        ) as answer:
            out.write_bytes(answer.read())
        return read_labels(out)

    def train(self, name: str, epochs: int) -> None:
        request = {"max_epochs": epochs, "val_split": 0.3, "device": "cpu", "pretrained": True}
        self.ask(f"/train/{name}?run_sync=true", "POST", timeout=600, **request)

    def train_in_background(self, name: str) -> dict:
        """Trains an epoch as 3D Slicer does, and returns the training's state when it has ended."""
        self.ask(f"/train/{name}", "POST", max_epochs=1, val_split=0.3, device="cpu")
        end = time.monotonic() + 300
        while time.monotonic() < end:
            state = json.loads(self.ask("/train/"))
            if state["status"] not in ("SUBMITTED", "RUNNING"):
                return state
            time.sleep(2)
        pytest.fail(f"the training does not end: {state}")

    def save_label(self, image: str, path: Path) -> None:
        """Submits a label, as a finished annotation."""
        edge = "----a-label-of-the-tests"
        head = (
            f'--{edge}\r\nContent-Disposition: form-data; name="label"; filename="{path.name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        data = head.encode() + path.read_bytes() + f"\r\n--{edge}--\r\n".encode()
        query = urllib.parse.urlencode({"image": image, "tag": "final"})
        request = urllib.request.Request(f"{self.url}/datastore/label?{query}", data, method="PUT")
        request.add_header("Content-Type", f"multipart/form-data; boundary={edge}")
        urllib.request.urlopen(request, timeout=60).read()


def read_labels(path: Path) -> np.ndarray:
    """Labels (X, Y, Z) of NIfTI or NRRD."""
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))).T


@pytest.fixture(scope="module")
def server(tmp_path_factory, phantoms) -> Iterator[Server]:
    if "LABEL_PYTHON" not in os.environ:
        pytest.fail("LABEL_PYTHON names no Python with MONAI Label; run `make test-label`")
    folder = tmp_path_factory.mktemp("label")
    command = [os.environ["LABEL_PYTHON"], "-m", "monailabel.main"]
    subprocess.run(
        [*command, "apps", "--download", "--name", "monaibundle", "--output", folder / "apps"],
        check=True,
        timeout=120,
    )
    app, studies = folder / "apps/monaibundle", folder / "studies"
    for name in NAMES:
        bundle = copy_bundle(name, app / "model")
        make_small(bundle, batch_size=2, crops_per_volume=1, num_workers=0, learning_rate=3e-3)
    make_studies(phantoms / "btcv", studies)
    with running(command, app, studies) as url:
        yield Server(url, app, studies)


def make_studies(phantoms: Path, studies: Path) -> None:
    """Images as NIfTI, one also as NRRD and as a DICOM series, and a real CT where there is one."""
    studies.mkdir()
    images = sorted((phantoms / "RawData/Training/img").glob("*.nii.gz"))[:4]
    for path in images:
        shutil.copy(path, studies)
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(images[0])), str(studies / "as_nrrd.nrrd"))
    first = nib.load(images[0])
    (studies / "series").mkdir()
    write_series(
        studies / "series", np.asarray(first.dataobj), tuple(map(float, first.header.get_zooms()))
    )


@contextmanager
def running(command: list[str], app: Path, studies: Path) -> Iterator[str]:
    """Runs the server; its log is shown where a test fails."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = app.parent / "server.log"
    words = ["start_server", "--app", app, "--studies", studies, "--host", "127.0.0.1"]
    words += ["--port", port, "--conf", "models", ",".join(NAMES)]
    words += ["--conf", "zoo_source", "ngc", "--conf", "sam2", "false"]
    folder = Path(command[0]).parent
    with log.open("w") as file:
        process = subprocess.Popen(
            [*command, *map(str, words)],
            env=os.environ | {"OMP_NUM_THREADS": "1", "PATH": f"{folder}:{os.environ['PATH']}"},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, process, log)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)
        print(log.read_text()[-8000:])


def wait_for(url: str, process: subprocess.Popen, log: Path, seconds: int = 180) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/info/", timeout=60).read()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(1)
    pytest.fail(f"the server does not answer: {log.read_text()[-8000:]}")


def by_command(server: Server, name: str, image: Path, out: Path) -> np.ndarray:
    """Labels (X, Y, Z) that `python -m monai.bundle run` writes for an image."""
    bundle = server.app / "model" / name
    run(bundle, "inference", "--dataset_dir", image, "--output_dir", out)
    (path,) = out.rglob("*_seg.*")
    return read_labels(path)


def test_info_names_both_bundles_and_their_labels(server):
    models = json.loads(server.ask("/info/"))["models"]
    for name in NAMES:
        outputs = json.loads((BUNDLES / name / "configs/metadata.json").read_text())
        channels = outputs["network_data_format"]["outputs"]["pred"]["channel_def"]
        expected = {v.lower() for v in channels.values() if v.lower() != "background"}
        assert set(models[name]["labels"]) == expected
    assert set(json.loads(server.ask("/info/"))["trainers"]) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_those_of_the_command(server, name, tmp_path):
    image = sorted(server.studies.glob("img*.nii.gz"))[0]
    expected = by_command(server, name, image, tmp_path / "out")
    assert len(np.unique(expected)) > 1
    for _ in range(2):  # at later requests the server has unloaded the bundle's scripts
        found = server.infer(name, image.name.removesuffix(".nii.gz"), tmp_path / "seg.nii.gz")
        np.testing.assert_array_equal(found, expected)


def test_nrrd_has_the_labels_of_the_same_nifti(server, tmp_path):
    image = sorted(server.studies.glob("img*.nii.gz"))[0].name.removesuffix(".nii.gz")
    expected = server.infer("btcv_segmentation", image, tmp_path / "nifti.nii.gz")
    found = server.infer("btcv_segmentation", "as_nrrd", tmp_path / "seg.nrrd")
    np.testing.assert_array_equal(found, expected)


def test_a_folder_of_dicom_serves_twice(server, tmp_path):
    series = server.studies / "series"
    expected = by_command(server, "btcv_segmentation", series, tmp_path / "out")
    for _ in range(2):
        found = server.infer("btcv_segmentation", str(series), tmp_path / "seg.nii.gz")
        np.testing.assert_array_equal(found, expected)


def test_a_real_ct_has_the_labels_of_the_command(server, tmp_path):
    if "REAL_DATA_DIR" not in os.environ:
        pytest.skip("REAL_DATA_DIR names no folder of real images")
    image = sorted(Path(os.environ["REAL_DATA_DIR"]).rglob("*.nii.gz"))[0]
    found = server.infer("btcv_segmentation", str(image), tmp_path / "seg.nii.gz")
    expected = by_command(server, "btcv_segmentation", image, tmp_path / "out")
    np.testing.assert_array_equal(found, expected)


def test_training_follows_the_servers_epochs_and_serves_its_weights(server, phantoms, tmp_path):
    name = "btcv_segmentation"
    images = sorted(server.studies.glob("img*.nii.gz"))
    labels = sorted((phantoms / "btcv" / "RawData/Training/label").glob("*.nii.gz"))
    for image, label in zip(images, labels):
        server.save_label(image.name.removesuffix(".nii.gz"), label)
    bundle = server.app / "model" / name
    before = (bundle / "models/model.pt").read_bytes()
    log = server.app.parent / "server.log"
    server.train(name, 2)
    assert (bundle / "models/model.pt").read_bytes() != before
    (only,) = (bundle / "runs").iterdir()
    text = log.read_text()
    assert "weights: those that the server loads" in text
    assert "no validation has given a metric" not in text  # validated in both epochs
    server.train(name, 2)
    kept = [path for path in (bundle / "runs").iterdir() if (path / "checkpoints").is_dir()]
    assert len(kept) == 1 and kept[0] != only
    image = images[0]
    found = server.infer(name, image.name.removesuffix(".nii.gz"), tmp_path / "seg.nii.gz")
    np.testing.assert_array_equal(found, by_command(server, name, image, tmp_path / "out"))


def test_refused_labels_end_a_training_in_a_sentence_that_its_client_gets(
    server, phantoms, tmp_path
):
    images = sorted(server.studies.glob("img*.nii.gz"))
    labels = sorted((phantoms / "btcv" / "RawData/Training/label").glob("*.nii.gz"))
    label = nib.load(labels[0])
    wrong = np.asarray(label.dataobj).copy()
    wrong[:5, :5, :5] = 77
    nib.save(nib.Nifti1Image(wrong, label.affine), tmp_path / "wrong.nii.gz")
    for image in images:
        server.save_label(image.name.removesuffix(".nii.gz"), tmp_path / "wrong.nii.gz")
    weights = server.app / "model/btcv_segmentation/models/model.pt"
    before = weights.read_bytes()
    state = server.train_in_background("btcv_segmentation")
    assert state["status"] == "ERROR"
    sentences = [line for line in state["details"] if line.startswith("error: ")]
    assert len(sentences) == 1 and "77, which no label has" in sentences[0], state["details"]
    assert weights.read_bytes() == before
