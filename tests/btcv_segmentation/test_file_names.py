"""Files of every name and format through an inference and the datalist of a folder."""

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from bundle_runs import copy_bundle, last_line, python_here, run_here
from dicom_series import body
from helpers import write_nifti

from common.data.formats import ending_of, stem_of
from common.data.open_image import MADE_BY_US, open_image
from tools.phantom.dicom import write_series

HU = body((24, 22, 18), seed=1).astype(np.int16)
TURN = nib.eulerangles.euler2mat(0.1, 0.2, 0.3) @ np.diag([-6.0, 6.0, 6.0])
AFFINE = nib.affines.from_matvec(TURN, [5, -6, 70])
NAMES = [
    *("labelled_2024/ct.nii.gz", "UPPER.NII.GZ", "Mixed.Nii", "x/ct.nii.gz", "y/ct.nii.gz"),
    *("patient_seg.nii.gz", "x_prob.nii.gz", "folder.nii.gz/inner.nii", "001.nii", "NA.nii"),
    *("a b.nii.gz", "it's.nii", 'quo"te.nii', "100%d.nii", "line\nend.nii", "dots...nii"),
    *("\udcff\udcfe.nii.gz", "größe.nii", f"{'long' * 57}.nii", "$HOME.nii", "[1].nii", "@id.nii"),
]
ITK_NAMES = ["luna.mhd", "one_file.mha", "slicer.nrrd", "apart.nhdr", "CAPITALS.MHA"]


def write_as(path: Path) -> Path:
    """The volume in a format of ITK, whose writer knows small letters alone."""
    image = SimpleITK.ReadImage(write_nifti(path.parent / "source.nii", HU, affine=AFFINE))
    small = path.with_name(path.name.lower())
    SimpleITK.WriteImage(image, str(small), True)
    (path.parent / "source.nii").unlink()
    return small.rename(path)


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """Images of all names, links, and what is no image."""
    root = tmp_path_factory.mktemp("names") / "ct"
    for name in NAMES:
        plain = (root / name).with_name(f"any{ending_of(name)}")
        Path(write_nifti(plain, HU, affine=AFFINE)).rename(root / name)
    for name in ITK_NAMES:
        write_as(root / name)
    write_series(root / "dicom", HU, (6.0, 6.0, 6.0))
    write_nifti(root.parent / "elsewhere/linked.nii", HU, affine=AFFINE)
    (root / "link").symlink_to(root.parent / "elsewhere")
    (root / "loop").symlink_to(root)
    (root / "twice.nii").symlink_to("001.nii")
    write_nifti(root / "labels/ct.nii.gz", HU)
    for name in ("._001.nii", ".DS_Store", "Thumbs.db", "packed.zip", "__MACOSX/._001.nii"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"\0")
    (root / "lost.nii").symlink_to("nowhere.nii")
    os.mkfifo(root / "pipe.nii.gz")
    (root / "empty").mkdir()
    (root / "empty.nii.gz").touch()
    (root / "read_only").mkdir(mode=0o555)
    return root


@pytest.fixture(scope="module")
def segmented(finetuned, archive) -> tuple[Path, str]:
    """The folder of predictions, which lies in the archive, and what the run printed."""
    flags = ["--dataset_dir", archive, "--output_dir", archive / "predictions"]
    done = run_here(finetuned[0], "inference demo", *flags, check=False)
    assert done.returncode == 1  # of the file without a byte
    return archive / "predictions", done.stdout + done.stderr


@pytest.mark.parametrize("name", [*NAMES, *ITK_NAMES, "link/linked.nii"], ids=ascii)
def test_every_image_gets_labels_on_its_own_grid(segmented, archive, name):
    folder, file = Path(name).parent, stem_of(Path(name).name)
    labels = nib.load(segmented[0] / folder / f"{file}_seg.nii.gz")
    image = open_image(archive / name)
    assert labels.shape == image.shape == HU.shape
    np.testing.assert_allclose(labels.affine, image.affine, atol=1e-3)
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-3)
    assert labels.get_data_dtype() == np.uint8
    assert labels.header["descrip"].item() == MADE_BY_US


def test_labels_are_the_same_whatever_the_format(segmented):
    stems = ["001", "luna", "one_file", "slicer", "apart", "CAPITALS", "UPPER", "Mixed"]
    images = [nib.load(segmented[0] / f"{stem}_seg.nii.gz") for stem in stems]
    voxels = [np.asarray(image.dataobj) for image in images]
    assert all(np.mean(voxels[0] != others) < 0.01 for others in voxels[1:])
    assert len(np.unique(voxels[0])) > 1


def test_there_is_one_result_for_each_image_and_one_line_for_all_else(segmented, archive):
    results = [path for path in segmented[0].rglob("*") if path.is_file()]
    assert len(results) == len(NAMES) + len(ITK_NAMES) + 2  # a link's and a series' too
    lines = segmented[1].splitlines()
    places = [place for place, text in enumerate(lines) if f"left out of {archive}" in text]
    line, again = (lines[place][len("00:00:00 ") :] for place in places)
    assert line == again and "peak memory" in lines[places[1] - 1]
    for words in (
        "2 (._001.nii, __MACOSX/._001.nii): hidden",
        "1 (labels/ct.nii.gz): labels",
        "1 (lost.nii): link that leads nowhere",
        "1 (pipe.nii.gz): no regular file (named pipe)",
        "1 (packed.zip): packed: unpack it",
        "1 (twice.nii): link to a file listed by another name",
    ):
        assert words in line
    assert f"1 of {len(results) + 1} images could not be segmented" in last_line(segmented[1])
    assert "empty.nii.gz" in last_line(segmented[1])


def test_a_second_run_does_not_take_results_for_images(segmented, archive, load_scripts):
    count = len([path for path in segmented[0].rglob("*") if path.is_file()])
    load_scripts("btcv_segmentation")
    from scripts.common.inference import list_images

    paths = [item["image"] for item in list_images(str(archive))]
    assert len(paths) == count + 1
    assert not [path for path in paths if path.startswith(str(segmented[0]))]
    assert str(archive / "patient_seg.nii.gz") in paths


def test_the_datalist_of_a_folder_has_every_format(tmp_path, caplog):
    names = ["a b.nii.gz", "UPPER.NII", "größe.nii", "001.nii", "NA.nii", "100%.nii"]
    labels = (HU > 0).astype(np.uint8)
    for name in names:
        path = Path(write_nifti(tmp_path / "images" / name.lower(), HU, affine=AFFINE))
        path.rename(path.with_name(name))
        write_nifti(tmp_path / "labels" / f"{stem_of(name)}.nii.gz", labels, affine=AFFINE)
    write_as(tmp_path / "images/luna.mhd")
    write_nifti(tmp_path / "labels/luna.nii.gz", labels, affine=AFFINE)
    bundle = copy_bundle("btcv_segmentation", tmp_path / "bundle")
    folders = [tmp_path / "images", tmp_path / "labels"]
    os.mkfifo(tmp_path / "images/pipe.nii")
    write_nifti(tmp_path / "images/sub/ct.nii", HU)
    done = python_here(bundle, "-m", "scripts", "datalist", "folder", *folders)
    assert "7 labelled images" in done.stdout
    assert f"left out of {folders[0]}: 1 (sub/ct.nii): in a sub-folder; 1 (pipe.nii): no" in (
        done.stdout + done.stderr + caplog.text
    )
    items = json.loads((bundle / "datalist.json").read_text())["training"]
    assert {Path(item["image"]).name for item in items} == {*names, "luna.mhd"}
