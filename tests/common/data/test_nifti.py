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
from monai.data import DataLoader, Dataset, MetaTensor, decollate_batch
from monai.transforms import LoadImaged, SaveImage
from torch._utils import ExceptionWrapper

from common import errors
from common.data import nifti, nifti_header
from common.inference import ProbabilityWriter

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


def test_a_blank_ct_is_named(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", np.full((4, 5, 6), -1000, np.int16))
    with pytest.warns(UserWarning, match=f"{path} shows nothing: all voxels are -1000"):
        assert (load(path) == -1000).all()


def test_all_nan_is_refused(refusal, tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", np.full((4, 5, 6), np.nan, np.float32))
    with refusal(f"{path} holds no finite voxel"):
        load(path)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii"])
def test_truncated_file_is_named(refusal, tmp_path, name):
    path = truncated(tmp_path / name)
    assert nifti_header.check_header(str(path)) == str(path)  # the header alone does not show it
    with refusal(f"{path} is cut short or damaged"):
        load(path)


@pytest.mark.parametrize("place", ["voxels", "checksum"])
@pytest.mark.parametrize("name", ["a.nii.gz", "a.Nii.GZ"])
def test_a_changed_bit_is_named(refusal, tmp_path, name, place):
    """Nibabel alone reads wrong voxels: it stops before the checksum."""
    content = bytearray(gzip.compress(unpacked_volume(), compresslevel=0))
    content[-9 if place == "voxels" else -8] ^= 1  # the last voxel's byte, the checksum's first
    path = tmp_path / name
    path.write_bytes(content)
    with refusal(f"{path} is cut short or damaged"):
        load(path)


def test_what_follows_the_voxels_does_not_count(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(unpacked_volume() + bytes(3_000_000)))
    assert np.isfinite(load(path)).all()


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


def test_labels_near_whole_numbers_are_rounded_with_a_warning(tmp_path):
    values = np.array([0, 0.9999999, 2.0000002, 12.9991, -0.0002, 3]).reshape(1, 2, 3)
    path = write_nifti(tmp_path / "a.nii.gz", values.astype(np.float32))
    with pytest.warns(UserWarning, match=rf"{path}: labels up to 0.0009 off a whole number"):
        label = load(path, "label")
    assert label.flatten().tolist() == [0, 1, 2, 13, 0, 3]


def test_labels_between_whole_numbers_stay_and_those_near_are_not_listed(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", np.array([[[0.9999999, 1.5]]], np.float32))
    with pytest.warns(UserWarning, match="are rounded"):
        assert load(path, "label").flatten().tolist() == [1, 1.5]


def test_label_of_nan_is_refused(refusal, tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", np.array([[[0, 1, np.nan]]], np.float32))
    with refusal(f"{path} holds NaN, which no label has"):
        load(path, "label")


@pytest.mark.parametrize("dtype", ["i1", "u1", ">i2", ">u2", "u4", "i8", "u8", ">f8", "f4"])
@pytest.mark.parametrize("klass", [nib.Nifti1Image, nib.Nifti2Image])
def test_every_real_type_and_byte_order_is_read(tmp_path, dtype, klass):
    values = np.arange(24).reshape(2, 3, 4)
    header = klass.header_class(endianness=">" if dtype[0] == ">" else "<")
    header.set_data_dtype(np.dtype(dtype))
    nib.save(klass(values.astype(dtype), np.eye(4), header), tmp_path / "a.nii")
    assert np.array_equal(load(tmp_path / "a.nii", "label")[:], values)


def test_pair_of_header_and_image_is_read(tmp_path):
    nib.save(nib.Nifti1Pair(CT, np.eye(4)), tmp_path / "a.img")
    assert np.array_equal(load(tmp_path / "a.hdr"), CT)


# outputs


def forms_differ() -> nib.Nifti1Header:
    header = nib.Nifti1Header()
    header.set_data_shape((4, 5, 6))
    header.set_sform(np.array([[-1, 0.2, 0, 5], [0, 2, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1]]), code=4)
    header.set_qform(np.diag([1.0, 2, 3, 1]), code=1)
    return header


def no_codes() -> nib.Nifti1Header:
    header = nib.Nifti1Header()
    header.set_data_shape((4, 5, 6))
    header["pixdim"][1:4] = 1, 2, 3
    return header


def in_metres() -> nib.Nifti1Header:
    header = nib.Nifti1Header()
    header.set_data_shape((4, 5, 1))
    header.set_xyzt_units("meter", "sec")
    header.set_qform(np.diag([-0.001, 0.002, 0.003, 1]), code=2)
    return header


@pytest.mark.parametrize("klass", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("make", [forms_differ, no_codes, in_metres])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_output_on_the_image_s_grid_has_its_forms_codes_and_units(tmp_path, make, klass):
    header = make()
    nib.save(klass(np.zeros(header.get_data_shape(), np.int16), None, header), tmp_path / "a.nii")
    image = next(iter(DataLoader(Dataset([load(tmp_path / "a.nii")]), batch_size=1)))
    saver = SaveImage(tmp_path, writer=nifti.VolumeWriter, separate_folder=False, print_log=False)
    saver(decollate_batch(image)[0][None])
    probabilities = ProbabilityWriter()
    probabilities.set_data_array(np.zeros((3, *header.get_data_shape()), np.uint8), 0)
    probabilities.set_metadata(decollate_batch(image)[0].meta)
    probabilities.write(tmp_path / "a_prob.nii.gz")
    for name in ("a_trans.nii.gz", "a_prob.nii.gz"):
        written = nib.load(tmp_path / name)
        assert written.shape[:3] == header.get_data_shape()
        assert written.ndim == 3 + (name == "a_prob.nii.gz")
        for field in (*nifti_header.GEOMETRY, "pixdim"):
            np.testing.assert_allclose(written.header[field].flat[:4], header[field].flat[:4])
        assert written.header.get_xyzt_units()[0] == header.get_xyzt_units()[0]


def test_output_on_another_grid_has_its_own_header(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), None, no_codes()), tmp_path / "a.nii")
    with pytest.warns(UserWarning, match="no orientation in its header"):
        meta = load(tmp_path / "a.nii").meta
    header = nifti_header.output_header(meta, np.diag([3.0, 2, 2, 1]), (4, 5, 6))
    assert np.array_equal(header.get_best_affine(), np.diag([3.0, 2, 2, 1]))
    assert header["sform_code"] == header["qform_code"] == 1


def test_negative_hu_stored_as_unsigned_are_reported(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", CT.astype(np.int16).astype(np.uint16))
    with pytest.warns(UserWarning, match="values from .* to 65.* do not look like Hounsfield"):
        load(path)
