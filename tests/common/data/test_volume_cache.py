"""Volumes kept in memory or on disk: the same items, and never those of something else."""

import logging
import os
import sys
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest
import torch
from helpers import write_nifti
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    LoadImaged,
    RandSpatialCropSamplesd,
    ScaleIntensityRanged,
    Spacingd,
)

from common.data import volume_cache
from common.data.volume_cache import VolumeCache

KEYS = ["image", "label"]


@pytest.fixture
def data(tmp_path) -> list[dict]:
    values = np.random.default_rng(0).integers(-1000, 1000, (2, 2, 20, 20, 10)).astype(np.int16)
    return [
        {
            key: str(write_nifti(tmp_path / f"data/{key}{i}.nii.gz", pair[j], (1, 1, 2)))
            for j, key in enumerate(("image", "label"))
        }
        for i, pair in enumerate(values)
    ]


def transform(hu_max: float = 1000) -> Compose:
    return Compose(
        [
            LoadImaged(KEYS),
            EnsureChannelFirstd(KEYS),
            Spacingd(KEYS, (2, 2, 2)),
            ScaleIntensityRanged("image", -1000, hu_max, 0, 1),
            RandSpatialCropSamplesd(KEYS, 4, num_samples=2, random_size=False),
        ]
    )


def cache(tmp_path, gb: float) -> VolumeCache:
    return VolumeCache(gb, str(tmp_path / "cache"), [2.0, 2.0, 2.0])


def crops(dataset) -> torch.Tensor:
    """All crops of two epochs of both items."""
    items = [dataset[epoch, index] for epoch in range(2) for index in range(2)]
    return torch.stack([crop[key] for item in items for crop in item for key in KEYS])


def test_memory_disk_and_neither_give_the_same_draws(data, tmp_path):
    datasets = [cache(tmp_path, gb).dataset(data, transform(), seed=3) for gb in (1, 1e-9, 0)]
    first, *others = map(crops, datasets)
    assert all(torch.equal(first, other) for other in others)
    assert torch.equal(crops(datasets[1]), first)  # read from the disk
    assert len(list((tmp_path / "cache").iterdir())) == 2
    kept, loaded = (dataset[0, 0][0]["image"] for dataset in datasets[:2])
    assert torch.equal(kept.affine, loaded.affine) and kept.meta.keys() == loaded.meta.keys()


def test_what_memory_has_no_room_for_lies_on_disk_and_a_line_says_so(data, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    # 20 x 20 x 20 mm at 2 mm are 1,000 voxels: image and label of four bytes, 8 kB
    shared = cache(tmp_path, 17e-6)
    assert isinstance(shared.dataset(data, transform(), 0), volume_cache.SeededCacheDataset)
    assert isinstance(shared.dataset(data, transform()), volume_cache.DiskCacheDataset)
    kept, moved = [record.message for record in caplog.records]
    assert kept == "2 volumes are kept in memory, up to 1.6e-05 GB"
    assert "more than the 1e-06 GB left of --cache_gb 1.7e-05" in moved
    assert f"they are kept in {tmp_path}/cache" in moved


def test_the_expected_size_is_that_of_the_resampled_image_and_label(data, tmp_path):
    assert cache(tmp_path, 1)._expected_gb(data[0]["image"]) == pytest.approx(8e-6)
    item = VolumeCache(1, str(tmp_path), [1.0, 1.0, 1.0], channels=3)
    path = write_nifti(tmp_path / "mr.nii.gz", np.zeros((20, 20, 10, 3)), (1, 1, 2))
    assert item._expected_gb(path) == pytest.approx(8000 * 4 * 4 / 1e9)


def test_another_range_a_changed_file_and_another_path_are_made_anew(data, tmp_path):
    small = cache(tmp_path, 1e-9)
    files = {small.dataset(data, transform(), 0).file_of(data[0])}
    files.add(small.dataset(data, transform(hu_max=500), 0).file_of(data[0]))
    os.utime(data[0]["image"], ns=(1, 1))
    files.add(small.dataset(data, transform(), 0).file_of(data[0]))
    files.add(small.dataset(data, transform(), 0).file_of(data[1]))
    assert len(files) == 4


def test_a_damaged_file_is_made_anew(data, tmp_path, caplog):
    dataset = cache(tmp_path, 1e-9).dataset(data, transform(), 0)
    expected = crops(dataset)
    for name, content in [(data[0], b""), (data[1], dataset.file_of(data[1]).read_bytes()[:900])]:
        dataset.file_of(name).write_bytes(content)
    assert torch.equal(crops(dataset), expected)
    assert sum("is damaged, and is made anew" in record.message for record in caplog.records) == 2


@pytest.mark.parametrize(("module", "name"), [("numpy.none", "A"), ("numpy", "NoSuchClass")])
def test_a_file_of_other_versions_is_made_anew(data, tmp_path, caplog, monkeypatch, module, name):
    """As one of NumPy 2, whose `numpy._core` NumPy 1 has not."""
    dataset = cache(tmp_path, 1e-9).dataset(data, transform(), 0)
    expected = crops(dataset)
    gone = type(name, (), {"__module__": module})
    with monkeypatch.context() as patch:
        there = ModuleType(module)
        setattr(there, name, gone)
        patch.setitem(sys.modules, module, there)
        torch.save(gone(), dataset.file_of(data[0]))
    assert torch.equal(crops(dataset), expected)
    (line,) = [text for text in caplog.messages if "made anew" in text]
    assert "was written by other versions of NumPy, PyTorch or MONAI" in line and "\n" not in line


def test_a_full_disk_is_refused_before_the_first_volume(data, tmp_path, monkeypatch, refusal):
    usage = type("Usage", (), {"free": 10_000})
    monkeypatch.setattr(volume_cache.shutil, "disk_usage", lambda path: usage)
    with refusal("name another folder by --cache_dir, or raise --cache_gb"):
        cache(tmp_path, 1e-9).dataset(data, transform(), 0)
    dataset = cache(tmp_path, 1e-9)
    usage.free = 20_000
    made = dataset.dataset(data, transform(), 0)
    crops(made)
    usage.free = 0  # what lies there already needs no room
    dataset.dataset(data, transform(), 0)


def test_a_folder_that_cannot_be_written_is_refused_before_the_first_volume(
    data, tmp_path, refusal
):
    (tmp_path / "file").write_text("no folder")
    with refusal("file/cache cannot be written .Not a directory.; give another place"):
        cache(tmp_path / "file", 1e-9).dataset(data, transform(), 0)


def test_a_write_that_fails_ends_in_a_sentence(data, tmp_path, monkeypatch, refusal):
    dataset = cache(tmp_path, 1e-9).dataset(data, transform(), 0)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", fail)
    with refusal("cannot be written .No space left on device.; make room"):
        dataset[0, 0]


def test_other_formats_and_units_are_measured_as_the_reader_reads_them(tmp_path):
    itk = pytest.importorskip("SimpleITK")
    image = itk.GetImageFromArray(np.zeros((10, 20, 30), np.int16))
    image.SetSpacing((1, 1, 2))
    itk.WriteImage(image, str(tmp_path / "a.mha"))
    size = pytest.approx(30 * 20 * 20 / 8 * 2 * 4 / 1e9)
    assert cache(tmp_path, 1)._expected_gb(str(tmp_path / "a.mha")) == size
    metres = nib.Nifti1Image(np.zeros((30, 20, 10), np.int16), np.diag([1e-3, 1e-3, 2e-3, 1]))
    metres.header.set_xyzt_units("meter")
    nib.save(metres, tmp_path / "a.nii")
    assert cache(tmp_path, 1)._expected_gb(str(tmp_path / "a.nii")) == size
