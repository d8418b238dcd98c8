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
READ_VOLUME = """
import sys, numpy
from pathlib import Path
from monai.deploy.core import Fragment
from monai.deploy.operators.dicom_data_loader_operator import DICOMDataLoaderOperator
from monai.deploy.operators.dicom_series_selector_operator import DICOMSeriesSelectorOperator
sys.path.insert(0, ".")
from tools.deploy_app.check_input import read_one_series
from tools.deploy_app.read_volume import COPIED, VolumeReaderOperator
folder, fragment = Path(sys.argv[1]), Fragment()
studies = DICOMDataLoaderOperator(fragment, name="load").load_data_to_studies(folder)
selected = DICOMSeriesSelectorOperator(fragment, name="select").filter(None, studies)
operator = VolumeReaderOperator(fragment, series=read_one_series(folder), name="volume")
image = operator.convert_to_image(selected)
slices = selected[0].selected_series[0].series.get_sop_instances()
assert all(tag in slices[0].get_native_sop_instance() for tag in COPIED)
numpy.savez(sys.argv[2], values=image.asnumpy(), affine=image.metadata()["affine"])
"""


def deploy_python(*arguments, **variables) -> None:
    done = run_deploy_python(*arguments, **variables)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]


def run_deploy_python(*arguments, **variables) -> subprocess.CompletedProcess:
    return subprocess.run(
        [os.environ["DEPLOY_PYTHON"], *map(str, arguments)],
        cwd=REPOSITORY,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=280,
    )


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


def test_voxels_are_those_of_the_bundles_reader(tmp_path):
    hu = np.random.default_rng(0).integers(-900, 300, (24, 20, 18)).astype(np.int16)
    hu[:, :, 0] = 40  # the SDK alone turns air in the other slices to numbers above 64,000
    spacing_mm = (3.0, 3.0, 3.0)
    tags = phantom_tags(spacing_mm) | dict.fromkeys(("PatientName", "StudyID", "SliceThickness"))
    write_series(tmp_path / "ct", hu, spacing_mm, **tags)
    deploy_python("-c", READ_VOLUME, tmp_path / "ct", tmp_path / "volume.npz")
    volume = np.load(tmp_path / "volume.npz")
    image = nib.Nifti1Image(volume["values"].transpose(2, 1, 0), volume["affine"])
    np.testing.assert_array_equal(np.asarray(nib.as_closest_canonical(image).dataobj), hu)


def test_wrong_input_ends_in_a_sentence_and_writes_nothing(tmp_path):
    bundle = copy_bundle("btcv_segmentation", tmp_path)
    (bundle / "models").mkdir()
    (bundle / "models/model.pt").touch()
    (tmp_path / "empty").mkdir()
    for folder, model, words in (
        (tmp_path / "empty", bundle, "empty holds no CT series of DICOM files; give -i"),
        (tmp_path / "empty", tmp_path / "empty", "empty is no bundle: it has no configs/"),
    ):
        words_typed = ("-i", folder, "-o", tmp_path / "out", "-m", model)
        done = run_deploy_python("tools/deploy_app", *words_typed)
        last = done.stderr.strip().splitlines()[-1]
        assert done.returncode == 1 and last.startswith("error: ") and words in last
        assert "Traceback" not in done.stderr and not (tmp_path / "out").exists()
