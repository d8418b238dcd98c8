"""Names of cached volumes: what must change them, and what must not."""

import os
import subprocess
import sys

import pytest
from helpers import ROOT, write_in_two_files
from monai.bundle import ConfigParser
from monai.transforms import Compose, CropForegroundd, RandFlipd, Spacingd

from common.data.cache_key import key_of_files, key_of_transforms
from common.data.image_files import list_image_files


def configured(**changes) -> Compose:
    """Transforms whose lambda takes a value from the config, as `select_fn` of a bundle does."""
    parser = ConfigParser()
    crop = {"_target_": "CropForegroundd", "keys": "image", "source_key": "image"}
    parser.update({"above": -500, "other": 1, **changes})
    crop["select_fn"] = "$lambda image: image > @above"
    parser["transforms"] = [crop]
    return Compose(parser.get_parsed_content("transforms"))


def test_a_value_that_a_lambda_takes_from_the_config_counts_and_others_do_not():
    key = key_of_transforms(configured())
    assert key_of_transforms(configured()) == key
    assert key_of_transforms(configured(other=2)) == key
    assert key_of_transforms(configured(above=-300)) != key


def test_code_arguments_and_order_count():
    chains = [
        [Spacingd("image", (1, 1, 1))],
        [Spacingd("image", (1, 1, 2))],
        [Spacingd("image", (1, 1, 1), mode="nearest")],
        [CropForegroundd("image", "image", select_fn=lambda x: x > 0)],
        [CropForegroundd("image", "image", select_fn=lambda x: x > 1)],
        [CropForegroundd("image", "image", select_fn=lambda x: x >= 0)],
    ]
    assert len({key_of_transforms(Compose(chain)) for chain in chains}) == len(chains)


def test_random_transforms_and_their_state_do_not_count():
    chain = [Spacingd("image", (1, 1, 1))]
    plain = key_of_transforms(Compose(chain))
    random = Compose([*chain, RandFlipd("image", prob=0.5)])
    assert key_of_transforms(random) == plain
    assert key_of_transforms(random.set_random_state(seed=1)) == plain


CODE = """
from monai.transforms import Compose, CropForegroundd, Spacingd
from common.data.cache_key import key_of_transforms
crop = CropForegroundd("image", "image", select_fn=lambda x: x > 0)
key = key_of_transforms(Compose([Spacingd("image", (1, 1, 1)), crop]))
"""


def test_another_process_computes_the_same_key():
    here = {}
    exec(CODE, here)
    done = subprocess.run(
        [sys.executable, "-c", f"{CODE}print(key)"],
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == here["key"] and len(here["key"]) == 24


@pytest.mark.parametrize("change", ["size", "time", "path"])
def test_size_time_and_path_of_a_file_count(tmp_path, change):
    path = tmp_path / "a.nii"
    path.write_bytes(b"abc")
    os.utime(path, ns=(5, 5))
    key = key_of_files({"image": str(path)})
    assert key_of_files({"image": str(path)}) == key
    if change == "size":
        path.write_bytes(b"abcd")
        os.utime(path, ns=(5, 5))
    elif change == "time":
        os.utime(path, ns=(5, 6))
    else:
        path = path.rename(tmp_path / "b.nii")
    assert key_of_files({"image": str(path)}) != key


@pytest.mark.parametrize("name", ["a.hdr", "a.mhd"])
def test_voxels_in_a_file_of_their_own_count(tmp_path, name):
    item = {"image": str(write_in_two_files(tmp_path / name))}
    key = key_of_files(item)
    assert key_of_files(item) == key
    os.utime(list_image_files(item["image"])[1], ns=(5, 5))
    assert key_of_files(item) != key
