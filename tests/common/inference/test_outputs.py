"""What an inference finds, and what it calls the predictions."""

from pathlib import Path

from dicom_series import body
from helpers import write_json

from common.inference import outputs
from tools.phantom.dicom import write_series


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(folder: Path, datalist: str | None = None) -> list[str]:
    paths = [item["image"] for item in outputs.list_images(str(folder), datalist)]
    return [str(Path(path).relative_to(folder)) for path in paths]


def test_files_and_series_of_a_folder_are_found_together(tmp_path):
    touch(tmp_path, "b/ct.nii.gz", "notes.txt", "labels/ct.nii.gz")
    write_series(tmp_path / "a/1.2.3", body()[..., :4])
    write_series(tmp_path / ".hidden", body()[..., :4])
    assert found(tmp_path) == ["a/1.2.3", "b/ct.nii.gz"]


def test_a_folder_of_series_alone_is_no_mistake(tmp_path, refusal):
    with refusal("holds no image"):
        outputs.list_images(str(tmp_path))
    write_series(tmp_path, body()[..., :4])
    assert found(tmp_path) == ["."]


def test_two_series_in_one_folder_are_two_images(tmp_path):
    for number, uid in enumerate(["1.2.30", "1.2.4"]):
        name = f"{number}_{{:04d}}.dcm".format
        write_series(tmp_path / "ct", body()[..., :4], name=name, SeriesInstanceUID=uid)
    assert found(tmp_path) == ["ct/1.2.30", "ct/1.2.4"]


def test_headers_are_not_read_before_their_turn(tmp_path):
    touch(tmp_path, "broken.nii.gz", "other.nii")
    assert found(tmp_path) == ["broken.nii.gz", "other.nii"]


def test_a_datalist_s_test_items_may_be_paths_or_dicts_and_count_once(tmp_path):
    for test in (["c.nii.gz", "a.nii.gz"], [{"image": "c.nii.gz"}, {"image": "a.nii.gz"}]):
        content = {"training": [{"image": "a.nii.gz", "label": "x.nii.gz"}], "test": test}
        datalist = write_json(tmp_path / "datalist.json", content)
        assert found(tmp_path, datalist) == ["a.nii.gz", "c.nii.gz"]


def test_an_empty_datalist_is_refused(tmp_path, refusal):
    with refusal("datalist.json lists no image"):
        outputs.list_images(str(tmp_path), write_json(tmp_path / "datalist.json", {"test": []}))


def test_two_images_of_one_name_are_refused(tmp_path, refusal):
    touch(tmp_path, "ct.nii", "ct.nii.gz")
    with refusal("ct.nii and .*ct.nii.gz would have one output file, ct_seg.nii.gz; rename"):
        outputs.list_images(str(tmp_path))
