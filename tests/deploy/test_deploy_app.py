"""The application on MONAI Deploy gives the command's labels; run by `make test-deploy`.

DEPLOY_PYTHON names the Python of an environment that holds the SDK and no package of training.
"""

import json
import os
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from bundle_runs import copy_bundle, make_small, python, run
from helpers import BUNDLES

from tools.phantom import case_rng, phantom_ct
from tools.phantom.dicom import phantom_tags, write_series
from tools.repo.task_bundle import task_bundle

pytestmark = pytest.mark.deploy
REPOSITORY = BUNDLES.parent
READ_SEG = """
import sys, highdicom, numpy
seg = highdicom.seg.segread(sys.argv[1])
names = [seg.get_segment_description(n).segment_label for n in seg.segment_numbers]
geometry = seg.get_volume(combine_segments=True)
numpy.savez(sys.argv[2], names=names, labels=geometry.array, affine=geometry.affine)
"""


def deploy_python(*arguments, **variables) -> None:
    done = subprocess.run(
        [os.environ["DEPLOY_PYTHON"], *map(str, arguments)],
        cwd=REPOSITORY,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]


def small_bundle(name: str, folder: Path) -> Path:
    """A bundle of the repository, or of a task, with the demo's network and seeded weights."""
    if name == "btcv_segmentation":
        bundle = copy_bundle(name, folder)
    else:
        task_bundle(name, str(folder))
        (bundle,) = folder.iterdir()
    return make_small(bundle)


@pytest.fixture(scope="module", params=["btcv_segmentation", "Task09_Spleen"])
def case(request, tmp_path_factory) -> tuple[Path, Path, nib.Nifti1Image]:
    """The bundle, a phantom's DICOM series, and the labels of `monai.bundle run`."""
    folder = tmp_path_factory.mktemp("deploy")
    bundle = small_bundle(request.param, folder / "bundles")
    hu, _ = phantom_ct(case_rng(3, "btcv", 1), (52, 40, 44), (6.0, 6.0, 6.0))
    spacing_mm = (6.0, 6.0, 6.0)
    write_series(folder / "ct", hu, spacing_mm, **phantom_tags(spacing_mm))
    run(bundle, "inference", "--dataset_dir", folder / "ct", "--output_dir", folder / "out")
    (path,) = (folder / "out").rglob("*_seg.nii.gz")
    return bundle, folder / "ct", nib.load(path)


@pytest.mark.parametrize("source", ["folder", "torchscript"])
def test_labels_equal_those_of_the_command(case, source, tmp_path):
    bundle, series, reference = case
    model, variables = bundle, {}
    if source == "torchscript":
        model, variables = tmp_path / "model.ts", {"PYTHONPATH": str(bundle)}
        export = "ckpt_export network_to_export --config_file configs/inference.json"
        python(
            bundle,
            *("-m", "monai.bundle", *export.split(), "--use_trace", "True", "--filepath", model),
            *("--input_shape", "[1,1,64,64,32]"),
        )
    deploy_python(
        "tools/deploy_app", "-i", series, "-o", tmp_path / "out", "-m", model, **variables
    )
    written = nib.load(tmp_path / "out/pred.nii.gz")
    expected = nib.as_closest_canonical(reference)
    labels = np.asarray(expected.dataobj)
    assert len(np.unique(labels)) > 1, "labels of one kind alone prove nothing"
    nifti = nib.as_closest_canonical(written)
    np.testing.assert_allclose(nifti.affine, expected.affine, atol=1e-3)
    np.testing.assert_array_equal(np.asarray(nifti.dataobj), labels)

    (path,) = (tmp_path / "out").glob("*.dcm")  # one: the application ran once
    deploy_python("-c", READ_SEG, path, tmp_path / "seg.npz")
    seg = np.load(tmp_path / "seg.npz")
    metadata = json.loads((bundle / "configs/metadata.json").read_text())
    names = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert list(seg["names"]) == [names[str(number)] for number in range(1, len(names))]
    affine = np.diag([-1.0, -1, 1, 1]) @ seg["affine"]  # DICOM's LPS to RAS
    image = nib.as_closest_canonical(nib.Nifti1Image(seg["labels"].astype(np.uint8), affine))
    # frames without a segment may be left out at either end
    offset = np.linalg.inv(expected.affine) @ image.affine[:, 3]
    start = np.rint(offset[:3]).astype(int)
    padded = np.zeros_like(labels)
    box = tuple(slice(s, s + n) for s, n in zip(start, image.shape, strict=True))
    padded[box] = np.asarray(image.dataobj)
    np.testing.assert_array_equal(padded, labels)
