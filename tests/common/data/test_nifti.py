"""Which files are refused and how; reading and writing."""

import gzip
import logging
import warnings
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from helpers import write_nifti
from monai.data import Dataset, MetaTensor
from monai.transforms import LoadImaged
from torch._utils import ExceptionWrapper

from common import errors
from common.data import nifti

CT = np.linspace(-1000, 500, 4 * 5 * 6).reshape(4, 5, 6).astype(np.float32)


def names(items: list[dict]) -> list[str]:
    return [Path(item["image"]).name for item in items]


def load(path, modality="CT") -> MetaTensor:
    reader = nifti.VolumeReader(modality)
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


def written(array: np.ndarray):
    writer = nifti.VolumeWriter(output_dtype=np.int16)
    writer.set_data_array(array, channel_dim=None)
    writer.set_metadata({"affine": np.diag([2.0, 3.0, 4.0, 1.0])}, resample=False)
    return writer


@pytest.mark.parametrize("shape, channels", [((4, 5, 6), 1), ((4, 5, 6, 1), 1), ((4, 5, 6, 4), 4)])
def test_usable_shapes_are_accepted(tmp_path, shape, channels):
    path = write_nifti(tmp_path / "a.nii.gz", np.zeros(shape, np.int16))
    assert nifti.check_header(path, channels) == path


@pytest.mark.parametrize(
    "shape, channels",
    [((4, 5), 1), ((4, 5, 6, 2), 1), ((4, 5, 6), 4), ((4, 5, 6, 2), 4), ((4, 5, 6, 1, 3), 1)],
)
def test_other_shapes_are_refused_with_the_expected_one(refusal, tmp_path, shape, channels):
    path = write_nifti(tmp_path / "a.nii.gz", np.zeros(shape, np.int16))
    expected = "a 3D volume" if channels == 1 else "4D with 4 channels"
    with refusal(rf"a\.nii\.gz has shape .*expected {expected}"):
        nifti.check_header(path, channels)


@pytest.mark.parametrize(("shape", "count"), [((4, 5, 6), 1), ((4, 5, 6, 3), 3)])
def test_channels_that_an_image_needs_are_named(refusal, tmp_path, shape, count):
    path = write_nifti(tmp_path / "a.nii.gz", np.zeros(shape, np.int16))
    needed = "and 2 are needed along its fourth axis: T2, ADC; add or remove"
    with refusal(rf"a\.nii\.gz has {count} channels? \(shape .*\), {needed}"):
        nifti.check_header(path, 2, ("T2", "ADC"))


@pytest.mark.parametrize("affine", [np.diag([1.0, 0, 1, 1]), np.diag([1.0, np.nan, 1, 1])])
def test_unusable_affine_is_refused(refusal, tmp_path, affine):
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4))
    image.header.set_sform(affine, code=1)
    image.header.set_qform(np.eye(4), code=0)
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(image.header.binaryblock + bytes(4 + 2 * 4 * 5 * 6)))
    with refusal(r"a\.nii\.gz has a singular affine"):
        nifti.check_header(str(path))


def test_thin_slices_are_no_singular_affine(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", CT, spacing_mm=(0.1, 0.1, 0.1))
    assert nifti.check_header(path) == path


@pytest.mark.parametrize(
    "content",
    [b"", b"this is text", gzip.compress(b"this is text")],
    ids=["empty", "text", "gzipped text"],  # a gzip holds the time: no name for parallel workers
)
def test_file_that_is_no_image_is_refused(refusal, tmp_path, content):
    (tmp_path / "a.nii.gz").write_bytes(content)
    with refusal(r"a\.nii\.gz cannot be read as an image"):
        nifti.check_header(str(tmp_path / "a.nii.gz"))


def test_missing_image_is_refused(refusal, tmp_path):
    with refusal(r"a\.nii\.gz does not exist"):
        nifti.check_header(str(tmp_path / "a.nii.gz"))


def test_hounsfield_units_are_read_without_a_warning(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", CT, spacing_mm=(1, 2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="NvImgCodec")  # MONAI's, where there is pydicom
        image = load(path)
    assert np.array_equal(image.numpy(), CT)
    assert image.affine.diag().tolist() == [1, 2, 3, 1]


def test_rescale_slope_and_intercept_are_applied(tmp_path):
    image = nib.Nifti1Image(np.full((4, 4, 4), 3, np.int16), np.eye(4))
    image.header.set_slope_inter(2, -1000)
    image.to_filename(tmp_path / "a.nii")
    assert (load(tmp_path / "a.nii") == 3 * 2 - 1000).all()


def test_values_that_do_not_look_like_hounsfield_units_are_reported(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", CT + 1024)
    with pytest.warns(UserWarning, match=rf"{path}: values from 24 to 1524 do not look like"):
        load(path)


@pytest.mark.parametrize("modality", ["label", "MRI"])
def test_only_ct_has_hounsfield_units(tmp_path, modality):
    path = write_nifti(tmp_path / "a.nii.gz", np.ones((4, 5, 6), np.uint8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="NvImgCodec")  # MONAI's, where there is pydicom
        assert (load(path, modality) == 1).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_few_broken_voxels_become_the_smallest_value(tmp_path, value):
    broken = CT.copy()
    broken[1, 2, 3] = value
    path = write_nifti(tmp_path / "a.nii.gz", broken)
    with pytest.warns(UserWarning, match=rf"{path}: 1 voxels are not finite"):
        image = load(path)
    broken[1, 2, 3] = -1000
    assert np.array_equal(image.numpy(), broken)


def test_all_nan_is_refused(refusal, tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", np.full((4, 5, 6), np.nan, np.float32))
    with refusal(f"{path} holds no finite voxel"):
        load(path)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii"])
def test_truncated_file_is_named(refusal, tmp_path, name):
    path = truncated(tmp_path / name)
    assert nifti.check_header(str(path)) == str(path)  # the header alone does not show it
    with refusal(f"{path} is cut short or damaged"):
        load(path)


def test_damaged_compression_is_named(refusal, tmp_path):
    path = damaged(tmp_path / "a.nii.gz")
    with refusal(f"{path} is cut short or damaged"):
        load(path)


def test_sentence_comes_out_of_a_data_loaders_worker(tmp_path):
    reader = LoadImaged("image", reader=nifti.VolumeReader())
    dataset = Dataset([{"image": str(truncated(tmp_path / "a.nii.gz"))}], reader)
    with pytest.raises(RuntimeError) as caught:
        try:
            dataset[0]
        except RuntimeError:  # what a worker does with an exception
            ExceptionWrapper(where="in DataLoader worker process 0").reraise()
    sentence = errors.sentence_of(caught.value)
    assert sentence == f"{tmp_path}/a.nii.gz is cut short or damaged; replace or remove it."


def test_written_volume_is_complete_and_alone(tmp_path):
    written(np.arange(60).reshape(3, 4, 5)).write(tmp_path / "new" / "a.nii.gz")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.nii.gz"]
    image = nib.load(tmp_path / "new" / "a.nii.gz")
    assert np.array_equal(image.get_fdata(), np.arange(60).reshape(3, 4, 5))
    assert image.affine.diagonal().tolist() == [2, 3, 4, 1]


def test_write_names_the_file_that_is_there_in_the_end(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        written(np.zeros((3, 4, 5))).write(tmp_path / "a.nii.gz", verbose=True)
    assert caplog.messages == [f"written: {tmp_path}/a.nii.gz"]


def test_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = Path(write_nifti(tmp_path / "a.nii.gz", CT))
    before = path.read_bytes()

    def fail(image, filename):
        Path(filename).write_bytes(b"part")
        raise OSError("disk full")

    monkeypatch.setattr(nib, "save", fail)
    with pytest.raises(ValueError, match="a.nii.gz cannot be written .disk full.; make room"):
        written(np.zeros((3, 4, 5))).write(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
