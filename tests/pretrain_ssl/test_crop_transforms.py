"""Crops read from files and from memory: where they lie, what they hold, what is read for them."""

import importlib
import os
import pickle
from pathlib import Path
from time import perf_counter

import nibabel as nib
import numpy as np
import psutil
import pytest
import torch
from helpers import config_files, write_nifti
from monai.bundle import ConfigParser
from monai.data import DataLoader, MetaTensor
from monai.transforms import (
    Compose,
    CopyItemsd,
    CropForegroundd,
    EnsureChannelFirstd,
    LoadImaged,
    Orientationd,
    ScaleIntensityRanged,
    Spacingd,
    ThresholdIntensityd,
)
from nibabel.orientations import axcodes2ornt, ornt_transform

from common.data import seeded_dataset

SPACING_MM = (1.5, 1.5, 1.5)
PATCH = (6, 6, 4)
HU = np.random.default_rng(0).integers(-400, 400, (14, 12, 10)).astype(np.int16)  # body alone


@pytest.fixture
def crop_transforms(crops):
    return crops.crop_transforms


@pytest.fixture
def mapped_volume(crops):
    return crops.mapped_volume


@pytest.fixture
def transforms(crops):
    """The config's own, by spacing and patch size: down to the crop in HU."""

    def parsed(spacing_mm=SPACING_MM, patch_size=PATCH) -> Compose:
        parser = ConfigParser(ConfigParser.load_config_files(config_files("pretrain_ssl", "train")))
        parser.update({"spacing_mm": list(spacing_mm), "patch_size": list(patch_size)})
        for expression in parser["imports"]:
            exec(expression[1:], parser.globals)
        deterministic = parser.get_parsed_content("deterministic_transforms")
        return Compose([*deterministic, parser.get_parsed_content("random_crop")[0]])

    return parsed


def crop_of(transform: Compose, path: str, seed: int = 0) -> np.ndarray:
    transform.set_random_state(seed=seed)
    return transform({"image": path})["image"].numpy()[0]


def boxes_of(array: np.ndarray, patch: tuple) -> set[bytes]:
    """Every patch of an array, to be looked up."""
    views = np.lib.stride_tricks.sliding_window_view(array.astype(np.float32), patch)
    return {np.ascontiguousarray(box).tobytes() for box in views.reshape(-1, *patch)}


def in_air(body: tuple, shape=(40, 30, 20)) -> np.ndarray:
    """Air with a box of body at these slices."""
    hu = np.full(shape, -1000, np.int16)
    hu[body] = 50
    return hu


def test_centres_are_spread_evenly_over_the_body(crop_transforms, mapped_volume):
    hu = in_air(np.s_[8:11, 2:4, 5:8], (12, 10, 9))
    rng, voxels = np.random.RandomState(0), mapped_volume.Voxels(hu)
    centres = [crop_transforms.draw_centre(rng, voxels, -500) for _ in range(3600)]
    found, counts = np.unique(centres, axis=0, return_counts=True)
    assert np.array_equal(found, np.argwhere(hu == 50))  # all 18, both corners, and nothing else
    assert counts.min() > 140 and counts.max() < 260  # 200 expected, standard deviation 14


def test_a_single_voxel_of_body_in_a_large_volume_is_found(crop_transforms, mapped_volume):
    voxels = mapped_volume.Voxels(in_air(np.s_[77, 55, 33], (100, 80, 60)))
    centre = crop_transforms.draw_centre(np.random.RandomState(0), voxels, -500)
    assert centre == (77, 55, 33)


def test_threshold_is_of_hu_not_of_what_is_stored(crop_transforms, mapped_volume):
    stored = np.where(in_air(np.s_[5:9, 5:9, 5:9]) == 50, 1050, 0).astype(np.uint16)
    voxels = mapped_volume.Voxels(stored, slope=1.0, intercept=-1000.0)
    place = crop_transforms.draw_centre(np.random.RandomState(0), voxels, -500)
    assert stored[place] == 1050 and voxels.hu(place) == 50


def test_crop_is_the_patch_around_its_centre(crop_transforms, mapped_volume):
    voxels = mapped_volume.Voxels(HU)
    crop = crop_transforms.crop_around(voxels, (7, 6, 5), PATCH)
    assert np.array_equal(crop, HU[4:10, 3:9, 3:7]) and crop.dtype == np.float32
    crop = crop_transforms.crop_around(voxels, (7, 6, 5), (3, 3, 3))
    assert np.array_equal(crop, HU[6:9, 5:8, 4:7])


def test_crop_is_moved_inside(crop_transforms, mapped_volume):
    voxels, crop_around = mapped_volume.Voxels(HU), crop_transforms.crop_around
    assert np.array_equal(crop_around(voxels, (0, 0, 0), PATCH), HU[:6, :6, :4])
    assert np.array_equal(crop_around(voxels, (13, 11, 9), PATCH), HU[-6:, -6:, -4:])


def test_small_volume_gets_air_on_both_sides(crop_transforms, mapped_volume):
    crop = crop_transforms.crop_around(mapped_volume.Voxels(HU), (3, 3, 3), (6, 15, 12))
    assert np.array_equal(crop[:, 1:13, 1:11], HU[:6])
    assert (np.delete(crop, np.s_[1:13], axis=1) == -1000).all()
    assert (crop[..., 0] == -1000).all() and (crop[..., 11] == -1000).all()


@pytest.mark.parametrize("patch", [(8, 8, 8), (8, 30, 100)])
def test_box_and_shape_tell_where_each_crop_lay(crop_transforms, mapped_volume, patch):
    """Beyond the edges of a small volume the crop is air, and the box says so."""
    rng, shape = np.random.default_rng(0), (20, 21, 22)
    volume = MetaTensor(rng.integers(0, 100, (1, *shape)).astype(np.float32))
    volume.meta["filename_or_obj"] = "a.nii"
    transform = crop_transforms.RandBodyCropd("image", patch, -500, crops_per_item=3)
    transform.set_random_state(seed=0)
    crops = transform({"image": volume, "name": "a"})
    padded = np.pad(volume.numpy()[0], 100, constant_values=-1000)
    for crop in crops:
        (first, end), of_shape = crop["box"], crop["volume_shape"]
        assert tuple(end - first) == patch and tuple(of_shape) == shape and crop["name"] == "a"
        box = tuple(slice(a + 100, b + 100) for a, b in zip(first, end))
        assert np.array_equal(crop["image"].numpy()[0], padded[box])
    assert len({crop["box"].tobytes() for crop in crops}) == 3
    one = crop_transforms.RandBodyCropd("image", patch, -500)
    one.set_random_state(seed=0)
    assert torch.equal(one({"image": volume})["image"], crops[0]["image"])


def test_a_number_of_crops_below_one_is_refused(crop_transforms, refusal):
    with refusal("crops_per_item 0 is no number of crops; give 1 or more."):
        crop_transforms.RandBodyCropd("image", PATCH, -500, crops_per_item=0)


def test_volume_on_the_grid_is_not_read(mapped_volume, transforms, tmp_path, monkeypatch):
    path = write_nifti(tmp_path / "a.nii", HU, SPACING_MM)
    monkeypatch.setattr(nib.Nifti1Image, "get_fdata", None)
    monkeypatch.setattr("scripts.common.data.nifti.VolumeReader.get_data", None)
    opened = transforms().transforms[0]({"image": path})["image"]
    assert isinstance(opened, mapped_volume.VolumeFile)
    assert len(pickle.dumps(opened)) < 1000
    crop = crop_of(transforms(), path)
    assert crop.tobytes() in boxes_of(HU, PATCH)


def test_two_gigabytes_are_cropped_in_a_moment(transforms, tmp_path):
    path, shape = tmp_path / "a.nii", (1024, 1024, 1024)
    header = nib.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(np.int16)
    header.set_sform(np.diag([*SPACING_MM, 1]), code=1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    path.write_bytes(header.binaryblock + bytes(4))
    os.truncate(path, 352 + 2 * 1024**3)  # a sparse file of zeros, which are body
    started = perf_counter()
    assert (crop_of(transforms(patch_size=(96, 96, 96)), str(path)) == 0).all()
    assert perf_counter() - started < 2


def test_slope_and_intercept_are_applied(transforms, tmp_path):
    image = nib.Nifti1Image((HU + 1024).astype(np.int16) // 2, np.diag([*SPACING_MM, 1]))
    stored = np.asarray(image.dataobj)
    image.header.set_slope_inter(2, -1024)
    nib.save(image, tmp_path / "a.nii")
    scaled = np.asarray(nib.load(tmp_path / "a.nii").dataobj)
    assert np.array_equal(scaled, stored * 2.0 - 1024)
    assert crop_of(transforms(), str(tmp_path / "a.nii")).tobytes() in boxes_of(scaled, PATCH)


def test_voxels_that_are_not_finite_are_air(transforms, tmp_path):
    hu = HU.astype(np.float32)
    hu[::2] = np.nan
    path = write_nifti(tmp_path / "a.nii", hu, SPACING_MM)
    with pytest.warns(UserWarning, match=f"{path}: voxels that are not finite are read as air"):
        crop = crop_of(transforms(), path)
    assert sorted((crop == -1000).all(axis=(1, 2))) == [False] * 3 + [True] * 3
    assert np.isfinite(crop).all()


def compressed(path: Path) -> str:
    return write_nifti(path.with_suffix(".nii.gz"), HU, SPACING_MM)


def lps(path: Path) -> str:
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt("LPS"))
    image = nib.Nifti1Image(HU, np.diag([*SPACING_MM, 1])).as_reoriented(turn)
    nib.save(image, path)
    return str(path)


def four_axes(path: Path) -> str:
    return write_nifti(path, HU[..., None], SPACING_MM)


@pytest.mark.parametrize("write", [compressed, lps, four_axes])
def test_other_files_give_the_same_crops_as_the_mapped_one(
    mapped_volume, transforms, tmp_path, write
):
    mapped, other = write_nifti(tmp_path / "a.nii", HU, SPACING_MM), write(tmp_path / "b.nii")
    assert not isinstance(
        transforms().transforms[0]({"image": other})["image"], mapped_volume.VolumeFile
    )
    for seed in range(5):
        expected = crop_of(transforms(), mapped, seed)
        assert np.array_equal(crop_of(transforms(), other, seed), expected)


def former_chain(path: str, spacing_mm) -> torch.Tensor:
    """Whole-volume preprocessing as it was before crops were read from files: in [0, 1]."""
    keys = ["image", "body"]
    return Compose(
        [
            LoadImaged("image"),
            EnsureChannelFirstd("image"),
            Orientationd("image", axcodes="RAS", labels=None),
            Spacingd("image", pixdim=spacing_mm, mode="bilinear", dtype=None),
            ScaleIntensityRanged("image", -1000, 1000, 0.0, 1.0, clip=True),
            CopyItemsd("image", names="body"),
            ThresholdIntensityd("body", threshold=(-500 + 1000) / 2000),
            CropForegroundd(keys, source_key="body"),
        ]
    )({"image": path})["image"]


@pytest.mark.parametrize("spacing_mm", [(3.0, 3.0, 3.0), (2.5, 4.0, 6.0)])
def test_ordinary_files_are_prepared_as_before(transforms, phantoms, spacing_mm):
    for path in sorted((phantoms / "corpus").rglob("*.nii*")):
        expected = former_chain(str(path), spacing_mm)
        volume = transforms(spacing_mm).transforms[0]({"image": str(path)})["image"]
        assert torch.equal(volume.affine, expected.affine)
        assert volume.shape == expected.shape
        scaled = ScaleIntensityRanged("image", -1000, 1000, 0.0, 1.0, clip=True)({"image": volume})
        assert torch.equal(scaled["image"].as_tensor(), expected.as_tensor())


def test_transforms_reach_workers_that_are_spawned(transforms, tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", HU, SPACING_MM)
    expected = crop_of(transforms(), path)
    assert np.array_equal(crop_of(pickle.loads(pickle.dumps(transforms())), path), expected)


def dataset(transforms, paths: list[str], cache_rate: float = 0.0):
    items = [{"image": path} for path in paths]
    return seeded_dataset.SeededCacheDataset(items, transforms(), seed=3, cache_rate=cache_rate)


@pytest.mark.parametrize(("workers", "cache_rate"), [(0, 1.0), (2, 0.0), (2, 1.0)])
def test_seed_epoch_and_index_alone_decide(transforms, tmp_path, workers, cache_rate):
    paths = [write_nifti(tmp_path / f"{n}.nii", HU + n, SPACING_MM) for n in range(2)]
    paths.append(write_nifti(tmp_path / "2.nii.gz", HU + 2, SPACING_MM))
    keys = [(epoch, index) for epoch in range(3) for index in range(3)]
    one_by_one = [dataset(transforms, paths)[key]["image"] for key in reversed(keys)]
    data = dataset(transforms, paths, cache_rate)
    loader = DataLoader(
        data, batch_sampler=[keys[at : at + 3] for at in (0, 3, 6)], num_workers=workers
    )
    together = torch.cat([batch["image"] for batch in loader])
    assert torch.equal(together, torch.stack(one_by_one[::-1]))
    assert len({tuple(crop.flatten().tolist()) for crop in together}) > 6


def test_memory_and_open_files_do_not_grow_with_the_volumes(transforms, tmp_path):
    first = write_nifti(tmp_path / "0.nii", np.zeros((160, 160, 80), np.int16), SPACING_MM)  # 4 MB
    paths = [first] + [str(tmp_path / f"{n}.nii") for n in range(1, 200)]
    for path in paths[1:]:
        os.link(first, path)
    data = dataset(lambda: transforms(patch_size=(96, 96, 64)), paths, cache_rate=1.0)
    process, resident, files = psutil.Process(), [], []
    for index in [*range(20), *range(200)]:
        data[0, index]
        resident.append(process.memory_info().rss)
        files.append(process.num_fds())
    assert files[-1] == files[0]
    assert max(resident[20:]) - max(resident[:20]) < 20e6  # of 800 MB that were looked at


def test_volume_of_air_is_named(transforms, tmp_path):
    errors = importlib.import_module("scripts.common.errors")
    air = np.full((20, 20, 20), -1000, np.int16)
    for name in ("a.nii", "a.nii.gz"):
        path = write_nifti(tmp_path / name, air, SPACING_MM)
        with pytest.raises(RuntimeError) as caught:
            crop_of(transforms(), path)
        sentences = list(errors._sentences(caught.value))
        assert sentences[0] == f"{path} shows no body, no voxel is above -500 HU; remove it."


def test_truncated_file_is_named(mapped_volume, refusal, tmp_path):
    path = Path(write_nifti(tmp_path / "a.nii", HU, SPACING_MM))
    path.write_bytes(path.read_bytes()[:-1])
    with refusal(f"{path} is cut short or damaged; replace or remove it."):
        mapped_volume.open_file(str(path), SPACING_MM)
