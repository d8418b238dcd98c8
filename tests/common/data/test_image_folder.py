"""Which files of a folder are images, and that all others that may be are named in one line."""

import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicom_series import body
from helpers import write_nifti

from common.data import datalist, image_folder
from common.data.nifti import VolumeWriter
from tools.phantom.dicom import write_series

CT = np.linspace(-1000, 500, 4 * 5 * 6).reshape(4, 5, 6).astype(np.float32)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(folder: Path) -> list[str]:
    images = image_folder.find_in_folder(folder).images
    return [str(Path(path).relative_to(folder)) for path in images]


def reasons(folder: Path) -> dict[str, list[str]]:
    return image_folder.find_in_folder(folder).left_out


@pytest.mark.parametrize(
    "name",
    [
        *("labelled_2024/ct.nii.gz", "labelled_ct.nii.gz", "Labeling/a.nii", "my_labels/ct.nii"),
        *("UPPER.NII.GZ", "Mixed.Nii.Gz", "a.MHA", "a.mhd", "a.nrrd", "a.nhdr"),
        *("patient_seg.nii.gz", "x_prob.nii.gz", "x_reconstruction.nii.gz", "_seg.nii.gz"),
        *("a b.nii.gz", "it's.nii", 'quo"te.nii', "100%.nii", "line\nend.nii", "001.nii", "NA.nii"),
        *("\udcff\udcfe.nii.gz", "ä.nii", "a...nii", "1.2.840.10008.nii.gz", "-rf.nii", "~.nii"),
        *("folder.nii.gz/ct.nii", "$(x).nii", "[1].nii", "a;b.nii", "C:\\ct.nii"),
    ],
)
def test_is_an_image_whatever_its_name_resembles(tmp_path, name):
    touch(tmp_path, name)
    assert found(tmp_path) == [name] and not reasons(tmp_path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((name, "labels") for name in ("label/a.nii", "labelsTr/a.mha", "LABELS/a.nii.gz")),
        *((name, "labels") for name in ("label0001.nii.gz", "label.nii", "label_12.nrrd")),
        ("Segmentation.seg.nrrd", "labels"),
        *((name, "hidden") for name in ("._a.nii.gz", ".cache/b.nii.gz", "__MACOSX/._a.nii")),
        *((name, "packed: unpack it") for name in ("ct.zip", "a.tar.gz", "a.nii.bz2", "x.NII.XZ")),
        ("a.img", "Analyze image, which has no orientation"),
        ("a.hdr", "Analyze image, which has no orientation"),
        *((name, "Philips PAR/REC: convert it by dcm2niix") for name in ("a.PAR", "a.rec")),
        ("T1.mgz", "FreeSurfer image: convert it by mri_convert"),
        ("a.npy", "array without spacing"),
    ],
)
def test_is_left_out_with_its_reason(tmp_path, name, reason):
    touch(tmp_path, name, "ct.nii.gz")
    assert found(tmp_path) == ["ct.nii.gz"]
    ((said, paths),) = reasons(tmp_path).items()
    assert said.startswith(reason) and paths == [name]


def test_what_is_no_volume_is_not_mentioned(tmp_path):
    touch(tmp_path, "ct.nii", "notes.txt", ".DS_Store", "Thumbs.db", "a.nii.gz.part", "v.raw")
    (tmp_path / "empty").mkdir()
    assert found(tmp_path) == ["ct.nii"] and not reasons(tmp_path)


def test_labels_that_lie_beside_their_image_are_left_out(tmp_path):
    touch(tmp_path, "img/a.mha", "img/a_seg.nii.gz", "img/b_seg.nii.gz")
    touch(tmp_path, "img/C.NII", "img/C_Seg.NII")
    assert found(tmp_path) == ["img/C.NII", "img/a.mha", "img/b_seg.nii.gz"]
    assert reasons(tmp_path) == {"labels": ["img/C_Seg.NII", "img/a_seg.nii.gz"]}


def test_a_nifti_in_two_files_is_one_image_and_analyze_is_none(tmp_path):
    nib.save(nib.Nifti1Pair(CT, np.eye(4)), tmp_path / "pair.hdr")
    nib.save(nib.AnalyzeImage(CT, np.eye(4)), tmp_path / "analyze.hdr")
    assert found(tmp_path) == ["pair.hdr"]
    ((reason, paths),) = reasons(tmp_path).items()
    assert "Analyze" in reason and paths == ["analyze.hdr", "analyze.img"]


def test_dicom_files_with_names_of_other_formats_are_dicom(tmp_path):
    write_series(tmp_path, body()[..., :4], name="IM{:04d}.img".format)
    search = image_folder.find_in_folder(tmp_path)
    assert search.dicom_folders() == {"": "IM0000.img"} and not search.left_out


def test_one_line_counts_and_names_what_was_left_out(tmp_path, caplog):
    touch(tmp_path, "ct.nii", "label/b.nii", *(f"label/a{number}.nii" for number in range(4)))
    touch(tmp_path, "line\nend.zip", "\udcff.zip")
    (tmp_path / "lost.nii").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    write_series(tmp_path / "dicom", body()[..., :4])
    assert datalist.find_images(str(tmp_path)) == [str(tmp_path / "ct.nii")]
    (record,) = caplog.records
    assert record.message == (
        f"left out of {tmp_path}: 1 (dicom): DICOM files: make volumes of them by `corpus "
        "prepare`; 5 (label/a0.nii, label/a1.nii, label/a2.nii and 2 more): labels; 1 (lost.nii): "
        "link that leads nowhere; 1 (pipe): no regular file (named pipe); 2 (line\\nend.zip, "
        "\\udcff.zip): packed: unpack it"
    )


def test_a_folder_without_images_says_what_it_holds_instead(tmp_path, refusal):
    touch(tmp_path, "labels/a.nii", "b.zip")
    with refusal(r"holds no image .*; left out: 1 \(labels/a.nii\): labels; 1 \(b.zip\): packed"):
        datalist.find_images(str(tmp_path))
    os.mkfifo(tmp_path / "pipe.nii")
    with refusal("pipe.nii is no regular file; give a folder or file"):
        datalist.find_images(str(tmp_path / "pipe.nii"))


def test_outputs_of_an_inference_are_known_by_their_header_alone(tmp_path):
    writer = VolumeWriter(output_dtype=np.uint8)
    writer.set_data_array(np.zeros((4, 5, 6)), channel_dim=None)
    writer.set_metadata({"affine": np.eye(4)})
    (tmp_path / "sub").mkdir()
    writer.write(tmp_path / "sub/a_seg.nii.gz")
    shutil.copy(tmp_path / "sub/a_seg.nii.gz", tmp_path / "sub/a_corrupted.nii.gz")
    write_nifti(tmp_path / "b_seg.nii.gz", CT)
    write_nifti(tmp_path / "b_prob.nii.gz", CT)
    assert found(tmp_path) == ["b_prob.nii.gz", "b_seg.nii.gz"]
    assert reasons(tmp_path) == {
        "output of an inference": ["sub/a_corrupted.nii.gz", "sub/a_seg.nii.gz"]
    }
