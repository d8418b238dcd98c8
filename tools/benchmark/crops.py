"""Times the reading of training crops, from CTs in files to batches, on one thread.

Ours is the data loader of the pre-training config without workers, once over a corpus as
`python -m scripts corpus prepare` makes it and once over its compressed originals; the reference
is the authors' chain in code of our own (Project-MONAI/research-contributions, SwinUNETR/Pretrain).
All files have been read before, so they come from the system's page cache where it holds them.
"""

import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from monai.data import DataLoader, Dataset
from monai.transforms import (
    Compose,
    CropForegroundd,
    EnsureChannelFirstd,
    LoadImaged,
    Orientationd,
    RandSpatialCropSamplesd,
    ScaleIntensityRanged,
    SpatialPadd,
    ToTensord,
)

from tools.phantom import case_rng, phantom_ct

from .ours import keep_freed_memory, read_config
from .worker import Job

NOISE_HU = 15.0  # so that gzip halves a phantom, as it does a CT
CROPS_PER_VOLUME = 2  # the authors' default


def originals(order: dict) -> Path:
    return Path(order["folder"], "originals")


def prepared(order: dict) -> Path:
    return Path(order["folder"], "prepared")


def write_corpus(order: dict) -> Job:
    """Draws the compressed originals, and prepares the corpus that the config trains on."""
    parser = read_config(order, "pretrain_ssl", "train")
    bundle, spacing_mm = Path.cwd(), parser["spacing_mm"][0]

    def step() -> None:
        for number in range(order["corpus"]["volumes"]):
            path = originals(order) / f"ct{number}" / "ct.nii.gz"
            path.parent.mkdir(parents=True)
            write_original(path, number, **order["corpus"]["ct"])
        command = [sys.executable, *"-m scripts corpus prepare".split()]
        command += [originals(order), prepared(order)]
        options = ["--workers", "1", "--spacing_mm", str(spacing_mm)]
        subprocess.run([*command, *options], cwd=bundle, check=True)

    return Job(step)


def write_original(path: Path, number: int, shape: list[int], spacing_mm: list[float]) -> None:
    """Writes a CT phantom, LPS and int16: drawn at half resolution, with noise of the full one."""
    rng = case_rng(0, "crops", number)
    half, _ = phantom_ct(rng, [n // 2 for n in shape], [2 * mm for mm in spacing_mm])
    image = np.empty(shape, np.int16, order="F")
    for z in range(shape[2]):
        noise = NOISE_HU * rng.standard_normal(shape[:2], np.float32)
        image[..., z] = half[..., z // 2].repeat(2, axis=0).repeat(2, axis=1) + noise
    affine = np.diag([-spacing_mm[0], -spacing_mm[1], spacing_mm[2], 1.0])
    nib.save(nib.Nifti1Image(image, affine), path)


def ours(order: dict) -> Job:
    """Reads the config's own training batches, without workers."""
    torch.set_num_threads(1)
    is_prepared = order["side"] == "ours"
    parser = read_config(order, "pretrain_ssl", "train")
    parser["dataset_dir"] = str(prepared(order) if is_prepared else originals(order))
    parser["num_workers"] = 0
    keep_freed_memory(parser)
    batches = iter(parser.get_parsed_content("train::dataloader"))
    count = order["corpus"]["crops"] if is_prepared else 1
    return job(batches, count, parser["batch_size"])


def official(order: dict) -> Job:
    """Runs the authors' transforms of whole volumes, which change no spacing."""
    torch.set_num_threads(1)
    size = order["config"]["patch_size"]
    transforms = Compose(
        [
            LoadImaged("image"),
            EnsureChannelFirstd("image"),
            Orientationd("image", axcodes="RAS", labels=None),
            ScaleIntensityRanged("image", -1000, 1000, 0.0, 1.0, clip=True),
            SpatialPadd("image", size),
            CropForegroundd("image", source_key="image", k_divisible=size),
            RandSpatialCropSamplesd("image", size, CROPS_PER_VOLUME, random_size=False),
            ToTensord("image"),
        ]
    )
    paths = sorted(map(str, originals(order).rglob("*.nii.gz")))
    loader = DataLoader(Dataset([{"image": path} for path in paths], transforms), shuffle=True)
    batches = (batch for _ in iter(int, 1) for batch in loader)  # one pass after another
    return job(batches, 1, CROPS_PER_VOLUME)


def job(batches, count: int, crops_per_batch: int) -> Job:
    """Reads `count` batches in each repetition; the time is that of one crop."""

    def step() -> None:
        for _ in range(count):
            assert len(next(batches)["image"]) == crops_per_batch

    return Job(step, count=count * crops_per_batch)


JOBS = {"corpus": write_corpus, "crops": ours}
