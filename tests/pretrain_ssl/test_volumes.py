"""Images on disk: which are found, which are refused and how, reading and writing."""

import gzip
import logging
import warnings
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from helpers import write_json, write_nifti
from monai.data import Dataset, MetaTensor
from monai.transforms import LoadImaged
from torch._utils import ExceptionWrapper

CT = np.linspace(-1000, 500, 4 * 5 * 6).reshape(4, 5, 6).astype(np.float32)


@pytest.fixture
def scripts(load_scripts):
    return load_scripts("pretrain_ssl")


@pytest.fixture
def volumes(scripts):
    return scripts.volumes


@pytest.fixture
def refusal(scripts):
    """`with refusal("a.nii"):` the body raises an InputError whose sentence names it."""
    return lambda words: pytest.raises(scripts.command_line.InputError, match=words)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def corpus(folder: Path, count: int) -> Path:
    for number in range(count):
        write_nifti(folder / f"ct{number:02}.nii.gz", CT)
    return folder


def names(items: list[dict]) -> list[str]:
    return [Path(item["image"]).name for item in items]


def load(volumes, path, modality="CT") -> MetaTensor:
    reader = volumes.VolumeReader(modality)
    return LoadImaged("image", reader=reader)({"image": str(path)})["image"]


def unpacked_volume() -> bytes:
    """A NIfTI file too long for the reading of its header to reach its end."""
    values = np.random.default_rng(0).integers(-1000, 1000, (24, 24, 24), dtype=np.int16)
    return nib.Nifti1Image(values, np.eye(4)).to_bytes()


def truncated(path: Path) -> Path:
    """A volume that ends in the middle of its voxels, behind a whole header."""
    whole = unpacked_volume()
    content = gzip.compress(whole) if path.suffix == ".gz" else whole
    path.write_bytes(content[: len(content) // 2])
    return path


def damaged(path: Path) -> Path:
    """A compressed volume whose second half is no compressed data."""
    whole, packer = unpacked_volume(), zlib.compressobj(wbits=31)
    first_half = packer.compress(whole[: len(whole) // 2]) + packer.flush(zlib.Z_SYNC_FLUSH)
    path.write_bytes(first_half + b"\xff" * 4000)
    return path


# which images


def test_finds_images_of_all_sub_folders_sorted(volumes, tmp_path):
    touch(tmp_path, "b.nii", "a/deep/c.nii.gz", "a/a.nii.gz", "a/notes.txt", "a/x.nii.gz.part")
    expected = ["a/a.nii.gz", "a/deep/c.nii.gz", "b.nii"]
    assert volumes.find_images(str(tmp_path)) == [str(tmp_path / name) for name in expected]


def test_leaves_out_hidden_files_and_folders(volumes, tmp_path):
    touch(tmp_path, "a.nii.gz", "._a.nii.gz", ".cache/b.nii.gz")
    assert volumes.find_images(str(tmp_path)) == [str(tmp_path / "a.nii.gz")]


def test_leaves_out_labels_and_segmentations(volumes, tmp_path):
    touch(tmp_path, "img/img0001.nii.gz", "label/label0001.nii.gz", "labelsTr/a.nii.gz")
    touch(tmp_path, "label0002.nii.gz", "img/img0001_seg.nii.gz", "img/img0002_seg.nii")
    assert volumes.find_images(str(tmp_path)) == [str(tmp_path / "img/img0001.nii.gz")]


def test_folders_above_the_dataset_do_not_count(volumes, tmp_path):
    touch(tmp_path, ".hidden/labels/a.nii.gz")
    folder = tmp_path / ".hidden/labels"
    assert volumes.find_images(str(folder)) == [str(folder / "a.nii.gz")]


def test_single_file_is_taken_as_it_is(volumes, tmp_path):
    touch(tmp_path, "label.nii.gz", "other.nii.gz")
    assert volumes.find_images(str(tmp_path / "label.nii.gz")) == [str(tmp_path / "label.nii.gz")]


def test_missing_folder_is_refused(volumes, refusal, tmp_path):
    with refusal(f"{tmp_path}/none does not exist.*--dataset_dir"):
        volumes.find_images(str(tmp_path / "none"))


def test_folder_without_images_is_refused(volumes, refusal, tmp_path):
    touch(tmp_path, "labels/a.nii.gz", "ct.dcm")
    with refusal(f"{tmp_path} holds no image"):
        volumes.find_images(str(tmp_path))


def test_predictions_mirror_the_folder_of_a_single_file(volumes, tmp_path):
    touch(tmp_path, "a.nii.gz")
    assert volumes.root(str(tmp_path / "a.nii.gz")) == volumes.root(str(tmp_path)) == str(tmp_path)


# headers


@pytest.mark.parametrize("shape, channels", [((4, 5, 6), 1), ((4, 5, 6, 1), 1), ((4, 5, 6, 4), 4)])
def test_usable_shapes_are_accepted(volumes, tmp_path, shape, channels):
    path = write_nifti(tmp_path / "a.nii.gz", np.zeros(shape, np.int16))
    assert volumes.check_header(path, channels) == path


@pytest.mark.parametrize(
    "shape, channels",
    [((4, 5), 1), ((4, 5, 6, 2), 1), ((4, 5, 6), 4), ((4, 5, 6, 2), 4), ((4, 5, 6, 1, 3), 1)],
)
def test_other_shapes_are_refused_with_the_expected_one(
    volumes, refusal, tmp_path, shape, channels
):
    path = write_nifti(tmp_path / "a.nii.gz", np.zeros(shape, np.int16))
    expected = "a 3D volume" if channels == 1 else "4D with 4 channels"
    with refusal(rf"a\.nii\.gz has shape .*expected {expected}"):
        volumes.check_header(path, channels)


@pytest.mark.parametrize("affine", [np.diag([1.0, 0, 1, 1]), np.diag([1.0, np.nan, 1, 1])])
def test_unusable_affine_is_refused(volumes, refusal, tmp_path, affine):
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4))
    image.header.set_sform(affine, code=1)
    image.header.set_qform(np.eye(4), code=0)
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(image.header.binaryblock + bytes(4 + 2 * 4 * 5 * 6)))
    with refusal(r"a\.nii\.gz has a singular affine"):
        volumes.check_header(str(path))


def test_thin_slices_are_no_singular_affine(volumes, tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", CT, spacing_mm=(0.1, 0.1, 0.1))
    assert volumes.check_header(path) == path


@pytest.mark.parametrize("content", [b"", b"this is text", gzip.compress(b"this is text")])
def test_file_that_is_no_image_is_refused(volumes, refusal, tmp_path, content):
    (tmp_path / "a.nii.gz").write_bytes(content)
    with refusal(r"a\.nii\.gz cannot be read as an image"):
        volumes.check_header(str(tmp_path / "a.nii.gz"))


def test_missing_image_is_refused(volumes, refusal, tmp_path):
    with refusal(r"a\.nii\.gz does not exist"):
        volumes.check_header(str(tmp_path / "a.nii.gz"))


# voxels


def test_hounsfield_units_are_read_without_a_warning(volumes, tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", CT, spacing_mm=(1, 2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = load(volumes, path)
    assert np.array_equal(image.numpy(), CT)
    assert image.affine.diag().tolist() == [1, 2, 3, 1]


def test_rescale_slope_and_intercept_are_applied(volumes, tmp_path):
    image = nib.Nifti1Image(np.full((4, 4, 4), 3, np.int16), np.eye(4))
    image.header.set_slope_inter(2, -1000)
    image.to_filename(tmp_path / "a.nii")
    assert (load(volumes, tmp_path / "a.nii") == 3 * 2 - 1000).all()


def test_values_that_do_not_look_like_hounsfield_units_are_reported(volumes, tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", CT + 1024)
    with pytest.warns(UserWarning, match=rf"{path}: values from 24 to 1524 do not look like"):
        load(volumes, path)


@pytest.mark.parametrize("modality", ["label", "MRI"])
def test_only_ct_has_hounsfield_units(volumes, tmp_path, modality):
    path = write_nifti(tmp_path / "a.nii.gz", np.ones((4, 5, 6), np.uint8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (load(volumes, path, modality) == 1).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_few_broken_voxels_become_the_smallest_value(volumes, tmp_path, value):
    broken = CT.copy()
    broken[1, 2, 3] = value
    path = write_nifti(tmp_path / "a.nii.gz", broken)
    with pytest.warns(UserWarning, match=rf"{path}: 1 voxels are not finite"):
        image = load(volumes, path)
    broken[1, 2, 3] = -1000
    assert np.array_equal(image.numpy(), broken)


def test_all_nan_is_refused(volumes, refusal, tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", np.full((4, 5, 6), np.nan, np.float32))
    with refusal(f"{path} holds no finite voxel"):
        load(volumes, path)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii"])
def test_truncated_file_is_named(volumes, refusal, tmp_path, name):
    path = truncated(tmp_path / name)
    assert volumes.check_header(str(path)) == str(path)  # the header alone does not show it
    with refusal(f"{path} is cut short or damaged"):
        load(volumes, path)


def test_damaged_compression_is_named(volumes, refusal, tmp_path):
    path = damaged(tmp_path / "a.nii.gz")
    with refusal(f"{path} is cut short or damaged"):
        load(volumes, path)


def test_sentence_comes_out_of_a_data_loaders_worker(volumes, scripts, tmp_path):
    reader = LoadImaged("image", reader=volumes.VolumeReader())
    dataset = Dataset([{"image": str(truncated(tmp_path / "a.nii.gz"))}], reader)
    with pytest.raises(RuntimeError) as caught:
        try:
            dataset[0]
        except RuntimeError:  # what a worker does with an exception
            ExceptionWrapper(where="in DataLoader worker process 0").reraise()
    sentences = list(scripts.command_line._sentences(caught.value))
    assert sentences[0] == f"{tmp_path}/a.nii.gz is cut short or damaged; replace or remove it."


# datalists


def test_inference_takes_every_image_of_a_folder(volumes, tmp_path):
    corpus(tmp_path, 2)
    expected = [{"image": str(tmp_path / f"ct0{number}.nii.gz")} for number in range(2)]
    assert volumes.images(str(tmp_path), datalist=None) == expected


def test_inference_takes_all_sections_of_a_datalist(volumes, tmp_path):
    content = {
        "training": [{"image": "ct00.nii.gz", "label": "none.nii.gz"}],
        "validation": [{"image": "ct01.nii.gz"}],
        "test": ["ct02.nii.gz"],
    }
    datalist = write_json(tmp_path / "lists/datalist.json", content)
    found = volumes.images(str(corpus(tmp_path / "data", 3)), datalist)
    assert names(found) == ["ct00.nii.gz", "ct01.nii.gz", "ct02.nii.gz"]
    assert all(item.keys() == {"image"} for item in found)


def test_empty_section_of_a_datalist_is_no_mistake(volumes, tmp_path):
    content = {"training": [{"image": "ct00.nii.gz"}], "validation": [], "test": []}
    datalist = write_json(tmp_path / "datalist.json", content)
    assert names(volumes.images(str(corpus(tmp_path, 1)), datalist)) == ["ct00.nii.gz"]


def test_inference_refuses_what_it_cannot_use(volumes, refusal, tmp_path):
    write_nifti(tmp_path / "flat.nii.gz", np.zeros((4, 5), np.int16))
    with refusal("flat.nii.gz has shape"):
        volumes.images(str(tmp_path), datalist=None)


def test_datalist_without_images_is_refused(volumes, refusal, tmp_path):
    datalist = write_json(tmp_path / "datalist.json", {"name": "BTCV"})
    with refusal("datalist.json lists no image"):
        volumes.images(str(tmp_path), datalist)


def test_missing_datalist_is_refused(volumes, refusal, tmp_path):
    with refusal("none.json does not exist; check --datalist"):
        volumes.images(str(tmp_path), str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    "text", ["{", "3", '{"training": ["a.nii.gz"]}', '{"training": [{"img": "a.nii.gz"}]}']
)
def test_file_that_is_no_datalist_is_refused(volumes, refusal, tmp_path, text):
    (tmp_path / "datalist.json").write_text(text)
    with refusal("datalist.json cannot be read"):
        volumes.read_datalist(str(tmp_path / "datalist.json"), str(tmp_path), "training", False)


def test_split_is_disjoint_complete_and_seeded(volumes, tmp_path):
    corpus(tmp_path, 10)
    first, again = (volumes.unlabelled_split(str(tmp_path), None, 0.3, seed=1) for _ in range(2))
    other = volumes.unlabelled_split(str(tmp_path), None, 0.3, seed=2)
    parts = {name: set(names(items)) for name, items in first.items()}
    assert [len(parts["training"]), len(parts["validation"])] == [7, 3]
    assert parts["training"] | parts["validation"] == {f"ct{n:02}.nii.gz" for n in range(10)}
    assert first == again != other


@pytest.mark.parametrize("fraction", [0.0, 0.05])
def test_at_least_one_image_is_held_out(volumes, tmp_path, fraction):
    split = volumes.unlabelled_split(str(corpus(tmp_path, 3)), None, fraction, seed=0)
    assert [len(split["training"]), len(split["validation"])] == [2, 1]


def test_at_least_one_image_trains(volumes, tmp_path):
    split = volumes.unlabelled_split(str(corpus(tmp_path, 2)), None, 0.8, seed=0)
    assert [len(split["training"]), len(split["validation"])] == [1, 1]


def test_images_are_numbered_within_their_part(volumes, tmp_path):
    split = volumes.unlabelled_split(str(corpus(tmp_path, 6)), None, 0.5, seed=0)
    assert [item["index"] for item in split["training"]] == [0, 1, 2]
    assert [item["index"] for item in split["validation"]] == [0, 1, 2]


def test_sections_of_a_datalist_decide_the_split(volumes, tmp_path):
    content = {
        "training": [{"image": "ct03.nii.gz"}, {"image": "ct01.nii.gz"}],
        "validation": [{"image": "ct02.nii.gz"}],
        "test": ["ct00.nii.gz"],
    }
    datalist = write_json(tmp_path / "datalist.json", content)
    split = volumes.unlabelled_split(str(corpus(tmp_path, 4)), datalist, 0.9, seed=0)
    assert names(split["training"]) == ["ct03.nii.gz", "ct01.nii.gz"]
    assert names(split["validation"]) == ["ct02.nii.gz"]


def test_datalist_without_validation_is_divided(volumes, tmp_path):
    content = {"training": [{"image": f"ct0{number}.nii.gz"} for number in range(4)]}
    datalist = write_json(tmp_path / "datalist.json", content)
    split = volumes.unlabelled_split(str(corpus(tmp_path, 4)), datalist, 0.25, seed=0)
    assert [len(split["training"]), len(split["validation"])] == [3, 1]


def test_datalist_without_training_is_refused(volumes, refusal, tmp_path):
    datalist = write_json(tmp_path / "datalist.json", {"validation": [{"image": "ct00.nii.gz"}]})
    with refusal("datalist.json has no `training` images"):
        volumes.unlabelled_split(str(corpus(tmp_path, 1)), datalist, 0.2, seed=0)


def test_single_image_serves_both_with_a_warning(volumes, tmp_path):
    with pytest.warns(UserWarning, match="only one image"):
        split = volumes.unlabelled_split(str(corpus(tmp_path, 1)), None, 0.2, seed=0)
    assert names(split["training"]) == names(split["validation"]) == ["ct00.nii.gz"]


def test_unusable_image_is_refused_before_the_training(volumes, refusal, tmp_path):
    (corpus(tmp_path, 3) / "bad.nii.gz").write_text("text")
    with refusal("bad.nii.gz cannot be read"):
        volumes.unlabelled_split(str(tmp_path), None, 0.2, seed=0)


# writing


def written(volumes, array: np.ndarray):
    writer = volumes.VolumeWriter(output_dtype=np.int16)
    writer.set_data_array(array, channel_dim=None)
    writer.set_metadata({"affine": np.diag([2.0, 3.0, 4.0, 1.0])}, resample=False)
    return writer


def test_written_volume_is_complete_and_alone(volumes, tmp_path):
    written(volumes, np.arange(60).reshape(3, 4, 5)).write(tmp_path / "new" / "a.nii.gz")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.nii.gz"]
    image = nib.load(tmp_path / "new" / "a.nii.gz")
    assert np.array_equal(image.get_fdata(), np.arange(60).reshape(3, 4, 5))
    assert image.affine.diagonal().tolist() == [2, 3, 4, 1]


def test_write_names_the_file_that_is_there_in_the_end(volumes, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        written(volumes, np.zeros((3, 4, 5))).write(tmp_path / "a.nii.gz", verbose=True)
    assert caplog.messages == [f"written: {tmp_path}/a.nii.gz"]


def test_failing_write_leaves_the_old_file(volumes, tmp_path, monkeypatch):
    path = Path(write_nifti(tmp_path / "a.nii.gz", CT))
    before = path.read_bytes()

    def fail(image, filename):
        Path(filename).write_bytes(b"part")
        raise OSError("disk full")

    monkeypatch.setattr(nib, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        written(volumes, np.zeros((3, 4, 5))).write(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
