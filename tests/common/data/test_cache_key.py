"""Names of cached volumes: what must change them, and what must not."""

import os
import subprocess
import sys

import pytest
from helpers import ROOT
from monai.bundle import ConfigParser
from monai.transforms import Compose, CropForegroundd, RandFlipd, Spacingd

from common.data.cache_key import key_of_files, key_of_transforms


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


def test_another_process_computes_the_same_key():
    code = (
        "from monai.transforms import Compose, CropForegroundd, Spacingd\n"
        "from common.data.cache_key import key_of_transforms\n"
        "chain = [Spacingd('image', (1, 1, 1)), CropForegroundd('image', 'image', "
        "select_fn=lambda x: x > 0)]\n"
        "print(key_of_transforms(Compose(chain)))"
    )
    keys = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    ]
    assert keys[0] == keys[1] and len(keys[0]) == 25


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
