"""No two images have one output file."""

import unicodedata

import pytest

from common.atomic_write import replacing
from common.data import output_names


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("/data/ct/a.nii.gz", "a"),
        ("/data/ct/sub/dir/a.b.nii", "sub/dir/a.b"),
        ("/data/ct/A.NII.GZ", "A"),
        ("/data/ct/a.mha", "a"),
        ("/data/ct/a.hdr", "a"),
        ("/data/ct/x.nii.gz/ct.nrrd", "x.nii.gz/ct"),
        ("/data/ct/1.2.840.7", "1.2.840.7"),  # a folder of a series has no ending
        ("/data/ct", "ct"),  # is a series itself
        ("/data/other/a.nii.gz", "other/a"),  # a datalist may lead outside
        ("/data/ct/../ct/a.nii.gz", "a"),
    ],
)
def test_names_mirror_the_folders_and_never_leave_the_output(image, name):
    names = output_names.OutputNames("/out", "/data/ct", "prob")
    assert names.filename(subject=image, idx=None) == f"/out/{name}_prob.nii.gz"


def test_one_file_has_its_name_alone(tmp_path):
    image = tmp_path / "sub/a.nii.gz"
    image.parent.mkdir()
    image.touch()
    names = output_names.OutputNames("out", str(image), "triptych", ".png")
    assert names.filename(str(image)) == "out/a_triptych.png"


def test_outputs_mirror_the_folder_of_a_single_file(tmp_path):
    (tmp_path / "a.nii.gz").touch()
    root = output_names.dataset_root
    assert root(str(tmp_path / "a.nii.gz")) == root(str(tmp_path)) == str(tmp_path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.nii.gz", "a.nrrd"),
        ("A.nii", "a.nii"),
        ("sub/CT.mha", "SUB/ct.mha"),
        (unicodedata.normalize("NFC", "ä.nii"), unicodedata.normalize("NFD", "ä.nii")),
        ("x/ct.nii.gz", "../x/ct.nii.gz"),
    ],
)
def test_two_images_with_one_output_are_refused_before_the_work(tmp_path, refusal, one, other):
    with refusal("would have one output file, .*_seg.nii.gz; rename one of them"):
        output_names.check_distinct([f"{tmp_path}/{one}", f"{tmp_path}/{other}"], str(tmp_path))


def test_equal_names_in_two_folders_stay_distinct_and_a_path_counts_once(tmp_path):
    paths = [f"{tmp_path}/{name}" for name in ("x/ct.nii.gz", "y/ct.nii.gz")]
    assert output_names.check_distinct([*paths, paths[0]], str(tmp_path)) == paths


def test_a_name_too_long_for_its_output_is_refused_before_the_work(tmp_path, refusal):
    longest = "a" * 232
    assert output_names.check_distinct([str(tmp_path / f"{longest}.nii")], str(tmp_path))
    with refusal("has too long a name for its output file; give it a shorter one"):
        output_names.check_distinct([str(tmp_path / f"{longest}ä.nii")], str(tmp_path))
    with replacing(tmp_path / f"{longest}_reconstruction.nii.gz") as temporary:
        temporary.touch()  # the file system takes it
