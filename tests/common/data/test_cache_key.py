"""Names of cached volumes: what must change them, and what must not."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from helpers import ROOT, write_in_two_files
from monai.bundle import ConfigParser
from monai.transforms import Compose, CropForegroundd, RandFlipd, Spacingd

from common.data import cache_key
from common.data.cache_key import key_of_files, key_of_transforms
from common.data.image_files import list_image_files


def configured(select_fn: str = "$lambda image: image > @above", **changes) -> Compose:
    """Transforms whose lambda takes a value from the config, as `select_fn` of a bundle does."""
    parser = ConfigParser()
    crop = {"_target_": "CropForegroundd", "keys": "image", "source_key": "image"}
    parser.update({"above": -500, "other": 1, **changes})
    crop["select_fn"] = select_fn
    parser["transforms"] = [crop]
    return Compose(parser.get_parsed_content("transforms"))


def test_a_value_that_a_lambda_takes_from_the_config_counts_and_others_do_not():
    key = key_of_transforms(configured())
    assert key_of_transforms(configured()) == key
    assert key_of_transforms(configured(other=2)) == key
    assert key_of_transforms(configured(above=-300)) != key


@pytest.mark.parametrize(
    "select_fn",
    [
        "$lambda image: (lambda voxels: voxels > @above)(image)",
        "$lambda image: [channel > @above for channel in image]",
        "$lambda image: [list(voxels > @above for voxels in channel) for channel in image]",
    ],
    ids=["lambda", "comprehension", "generator"],
)
def test_so_does_a_value_that_only_a_lambda_inside_takes(select_fn):
    key = key_of_transforms(configured(select_fn))
    assert key_of_transforms(configured(select_fn)) == key
    assert key_of_transforms(configured(select_fn, other=2)) == key
    assert key_of_transforms(configured(select_fn, above=-300)) != key


OWN = """
from monai.transforms import Transform
LEVEL = {level}
def above(image):
    return image > LEVEL
def deepest(image, depth=9):
    return deepest(image, depth - 1) if depth else above(image)
class Shift(Transform):
    def __call__(self, data):
        return {{**data, "image": data["image"] + LEVEL}}
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """Writes and imports a user's module, with another level in its source."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load(level: int) -> ModuleType:
        (tmp_path / "own_transforms.py").write_text(OWN.format(level=level))
        monkeypatch.delitem(sys.modules, "own_transforms", raising=False)
        importlib.invalidate_caches()
        cache_key._source_of.cache_clear()  # a run is a process
        return importlib.import_module("own_transforms")

    yield load
    sys.modules.pop("own_transforms", None)
    cache_key._source_of.cache_clear()


@pytest.mark.parametrize("name", ["Shift", "above", "deepest"])
def test_the_source_of_a_class_or_function_counts(own_module, name):
    keys = []
    for level in (1, 1, 2):
        own = getattr(own_module(level), name)
        crop = CropForegroundd("image", "image", select_fn=own)
        keys.append(key_of_transforms(Compose([own() if name == "Shift" else crop])))
    assert keys[0] == keys[1] != keys[2]


def test_the_source_of_readers_and_transforms_of_the_bundle_counts(monkeypatch):
    chain = Compose([Spacingd("image", (1, 1, 1))])
    key = key_of_transforms(chain)
    package = Path(cache_key.__file__).parent
    read_text = Path.read_text

    def updated(path: Path, *args, **options) -> str:
        text = read_text(path, *args, **options)
        return text + "\n# mended" if path == package / "nifti_affine.py" else text

    monkeypatch.setattr(Path, "read_text", updated)
    cache_key._source_of_package.cache_clear()
    assert key_of_transforms(chain) != key
    monkeypatch.undo()
    cache_key._source_of_package.cache_clear()
    assert key_of_transforms(chain) == key


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
