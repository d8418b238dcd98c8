"""Exports by MONAI's own commands, and inference from the exported files."""

import json
import shutil
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import onnxruntime
import pytest
import torch
from bundle_runs import copy_bundle, last_line, python_here, run_here
from helpers import forget_scripts, import_scripts
from monai.bundle import ConfigParser

FILES = ["configs/inference.json", "configs/demo.json"]
SHAPE = [1, 1, 64, 64, 32]
SEEN = "(trained with this spacing and intensity range)"


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """A bundle with a small network's model.pt, exported to TorchScript as docs/export.md does."""
    bundle = copy_bundle("btcv_segmentation", tmp_path_factory.mktemp("export"))
    with pytest.MonkeyPatch.context() as patch:  # no fixture of a test restores this module's path
        patch.setattr(sys, "path", sys.path.copy())
        save_weights(bundle)
        forget_scripts()
    export(bundle, "ckpt_export")
    return bundle


@pytest.fixture(scope="module")
def onnx_exported(exported) -> Path:
    """The same bundle with an ONNX file, which takes PyTorch half a minute."""
    pytest.importorskip("onnxscript", reason="onnx_export needs onnxscript")
    export(
        *(exported, "onnx_export", "--filepath", "models/model.onnx"),
        *("--ckpt_file", "models/model.pt"),
    )
    return exported


def export(bundle: Path, command: str, *flags) -> None:
    common = ["--config_file", str(FILES), "--use_trace", "True", "--input_shape", str(SHAPE)]
    python_here(bundle, "-m", "monai.bundle", command, "network_to_export", *common, *flags)


def save_weights(bundle: Path) -> None:
    """Saves a network that gives every label somewhere, with the note of a training."""
    import_scripts("btcv_segmentation")
    parser = ConfigParser()
    parser.read_config([bundle / name for name in FILES])
    network, note = (parser.get_parsed_content(key) for key in ("network_def", "trained_with"))
    from scripts.common.weights import attach_metadata

    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.08, generator=generator)
    attach_metadata(network, note)
    (bundle / "models").mkdir()
    torch.save(network.state_dict(), bundle / "models/model.pt")


def labels_of(bundle: Path, images: Path, configs: str, output: Path, *flags) -> dict:
    """Labels by file name, and what the inference printed."""
    done = run_here(bundle, configs, "--dataset_dir", images, "--output_dir", output, *flags)
    files = sorted(output.rglob("*_seg.nii.gz"))
    assert files
    labels = {path.name: np.asanyarray(nib.load(path).dataobj) for path in files}
    return labels | {"printed": done.stdout + done.stderr}


@pytest.fixture(scope="module")
def eager(exported, phantoms, tmp_path_factory) -> dict:
    images = phantoms / "btcv/RawData/Training/img/img0001.nii.gz"
    return labels_of(exported, images, "inference demo", tmp_path_factory.mktemp("eager"))


def differing(found: dict, eager: dict) -> int:
    """Counts the voxels whose labels differ."""
    assert found.keys() == eager.keys()
    return sum(int((found[name] != eager[name]).sum()) for name in eager if name != "printed")


def test_labels_of_torchscript_equal_those_of_eager(exported, eager, phantoms, tmp_path):
    images = phantoms / "btcv/RawData/Training/img/img0001.nii.gz"
    found = labels_of(exported, images, "inference demo inference_torchscript", tmp_path)
    assert f"weights: TorchScript ./models/model.ts {SEEN}" in found["printed"]
    assert len(np.unique(next(iter(eager.values())))) > 2
    assert differing(found, eager) == 0


@pytest.mark.slow
def test_labels_of_onnx_equal_those_of_eager(onnx_exported, eager, phantoms, tmp_path):
    images = phantoms / "btcv/RawData/Training/img/img0001.nii.gz"
    found = labels_of(onnx_exported, images, "inference demo inference_onnx", tmp_path)
    assert "ONNX ./models/model.onnx (carries no spacing or intensity range)" in found["printed"]
    voxels = sum(found[name].size for name in found if name != "printed")
    # weights that no training has seen have many ties: 2 of 98,735 voxels when this was written
    assert differing(found, eager) <= 1e-4 * voxels


@pytest.mark.slow
def test_scores_of_onnx_are_those_of_eager(onnx_exported):
    image = torch.rand(SHAPE)
    scores = torch.jit.load(onnx_exported / "models/model.ts")(image)
    session = onnxruntime.InferenceSession(onnx_exported / "models/model.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    assert np.abs(found - scores.detach().numpy()).max() < 2e-5 * scores.abs().max()


def test_torchscript_runs_alone_at_any_batch_and_holds_what_serving_needs(exported):
    extra = {"metadata.json": "", "inference.json": "", "demo.json": ""}
    network = torch.jit.load(exported / "models/model.ts", _extra_files=extra)
    assert network(torch.rand(2, *SHAPE[1:])).shape == (2, 14, 64, 64, 32)
    assert json.loads(extra["metadata.json"])["network_data_format"]["inputs"]["image"]
    assert json.loads(extra["inference.json"])["spacing_mm"] == [1.5, 1.5, 2.0]
    note = json.loads(network.note.trained_with)
    assert note["merging"] == "current" and note["spacing_mm"] == [5.0, 5.0, 5.0]
    # nothing in the file is bound to the CPU on which it was traced
    assert 'value="cpu"' not in str(network.inlined_graph)


@pytest.mark.slow
def test_onnx_takes_the_note_by_a_command(onnx_exported, phantoms, tmp_path):
    exported = shutil.copytree(onnx_exported, tmp_path / "bundle")  # the other tests have no note
    file = exported / "models/model.onnx"
    names = ["models/model.onnx", "models/model.pt"]
    done = python_here(exported, "-m", "scripts", "weights", "add_note", *names)
    assert "now says that it was trained with spacing 5 x 5 x 5 mm" in done.stdout
    kept = onnxruntime.InferenceSession(file).get_modelmeta().custom_metadata_map
    assert json.loads(kept["trained_with"])["task"] == "BTCV"
    images = phantoms / "btcv/RawData/Training/img/img0001.nii.gz"
    flags = ["--dataset_dir", images, "--spacing_mm", "[4.0,4.0,4.0]"]
    flags += ["--output_dir", tmp_path / "out"]
    done = run_here(exported, "inference demo inference_onnx", *flags, check=False)
    assert last_line(done.stderr) == (
        "error: ./models/model.onnx was trained with spacing 5 x 5 x 5 mm, here 4 x 4 x 4 mm; give "
        "the settings of its training, or other weights by --ckpt_path."
    )


def test_a_file_of_another_task_is_refused(exported, phantoms, tmp_path):
    flags = ["--dataset_dir", phantoms / "btcv", "--output_dir", tmp_path, "--name", "Other"]
    done = run_here(exported, "inference demo inference_torchscript", *flags, check=False)
    assert done.returncode == 1
    assert "error: ./models/model.ts was trained for BTCV (spleen, " in last_line(done.stderr)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            ["--patch_size", "[64,64,64]"],
            "./models/model.ts runs at patch size [64, 64, 32] alone, and this run has [64, 64, "
            '64]; give --patch_size "[64, 64, 32]", or export again with --input_shape "[1, 1, 64, '
            '64, 64]" and --patch_size "[64, 64, 64]".',
        ),
        (
            ["--ckpt_path", "models/none.ts"],
            "the exported network models/none.ts does not exist; write it by `python -m "
            "monai.bundle ckpt_export` (docs/export.md), or give yours by --ckpt_path.",
        ),
        (
            ["--ckpt_path", "models/model.pt"],
            "models/model.pt is no TorchScript network, or it is damaged; write it anew by `python "
            "-m monai.bundle ckpt_export` (docs/export.md).",
        ),
        (
            ["--spacing_mm", "[4.0,4.0,4.0]"],
            "./models/model.ts was trained with spacing 5 x 5 x 5 mm, here 4 x 4 x 4 mm; give the "
            "settings of its training, or other weights by --ckpt_path.",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused(exported, phantoms, tmp_path, flags, sentence):
    flags = ["--dataset_dir", phantoms / "btcv/RawData/Training/img", *flags]
    configs = "inference demo inference_torchscript"
    done = run_here(exported, configs, *flags, "--output_dir", tmp_path, check=False)
    assert done.returncode == 1 and last_line(done.stderr) == f"error: {sentence}"
    assert not list(tmp_path.iterdir())


def test_a_trace_at_another_size_than_the_config_is_refused(exported):
    done = python_here(
        *(exported, "-m", "monai.bundle", "ckpt_export", "network_to_export", "--use_trace"),
        *("True", "--config_file", str(FILES), "--filepath", "models/other.ts"),
        check=False,
    )
    assert done.returncode == 1 and not (exported / "models/other.ts").exists()
    assert last_line(done.stderr).endswith(
        "InputError: the input for the trace is [1, 96, 96, 96], and the config has 1 channels and "
        'patch_size [64, 64, 32]; give --input_shape "[1, 1, 64, 64, 32]".'
    )
