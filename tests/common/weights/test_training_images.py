"""Labelled images are known again by their bytes, from the note beside weights."""

import os
import shutil

import numpy as np
import pytest
import torch
from helpers import write_in_two_files, write_nifti
from weight_layouts import built, saved

from common.weights import attach_metadata, preprocessing_note, pretrained, training_images

BYTES = os.urandom(20_000)


def written(path, content: bytes) -> dict:
    path.write_bytes(content)
    return {"image": str(path), "label": "any"}


def noted(network: torch.nn.Module) -> list[str] | None:
    return (preprocessing_note.read_metadata(network.state_dict()) or {}).get("training_images")


def test_the_same_bytes_are_one_image_whatever_its_name(tmp_path):
    items = [written(tmp_path / name, BYTES) for name in ("a.nii.gz", "b.nii.gz")]
    (digest,) = training_images.digest_images(items)
    version, _, digits = digest.partition(":")
    assert version == "v2" and len(digits) == 8 and set(digits) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "other", [BYTES + b"x", BYTES[:10_000] + b"x" + BYTES[10_001:], BYTES[:-1] + b"x", b""]
)
def test_other_bytes_are_another_image(tmp_path, other):
    items = [written(tmp_path / "a.nii", BYTES), written(tmp_path / "b.nii", other[:20_001])]
    assert len(training_images.digest_images(items)) == 2


@pytest.mark.parametrize("slices", [1, 8, 40, 41, 89, 144])
def test_patients_on_air_of_one_value_are_different_images(tmp_path, slices):
    """Uncompressed, with the same number of slices, at whose edges there is padding alone."""
    y, x = np.mgrid[:256, :256] - 127.5
    digests = set()
    for patient in range(3):
        values = np.full((256, 256, slices), -1024, np.int16)
        values[x**2 + y**2 < 90**2] += np.int16(patient + 1)
        path = write_nifti(tmp_path / f"{patient}.nii", values)
        digests.add(training_images.digest_image(path))
        assert training_images.digest_image(shutil.copy(path, tmp_path / "copy.nii")) in digests
    assert len(digests) == 3


@pytest.mark.parametrize("ending", [".hdr", ".mhd"])
def test_voxels_beside_a_header_tell_images_apart_and_names_do_not(tmp_path, ending):
    values = np.arange(512, dtype=np.int16).reshape(8, 8, 8)
    files = {
        name: write_in_two_files(tmp_path / f"{name}{ending}", array)
        for name, array in (("a", values), ("same", values), ("other", values + 1))
    }
    digests = {name: training_images.digest_image(path) for name, path in files.items()}
    assert digests["a"] == digests["same"] != digests["other"]


def test_digests_of_an_older_kind_are_told_apart():
    digests = ["1234abcd", "v2:1234abcd", "0"]
    assert training_images.split_by_version(digests) == ({"v2:1234abcd"}, {"1234abcd", "0"})


def test_what_is_no_labelled_image_in_a_file_has_no_digest(tmp_path):
    file = written(tmp_path / "a.nii", BYTES)["image"]
    items = [{"image": file}, file, {"image": torch.zeros(1), "label": 0}]
    items += [{"image": str(tmp_path), "label": ""}, {"image": "none.nii", "label": ""}]
    assert training_images.digest_images(items) == []


def test_images_of_the_weights_that_a_training_starts_from_count_too(tmp_path):
    first, second = built(), built()
    attach_metadata(first, {"spacing_mm": [1, 1, 1]})
    state = first.state_dict()
    preprocessing_note.add_to_note(state, images=["b", "a", "b"])
    assert state._metadata["trained_with"]["training_images"] == ["a", "b"]
    assert noted(first) is None  # each state dict has a note of its own
    pretrained.load_pretrained(second, saved(tmp_path / "a.pt", state))
    attach_metadata(second, {"spacing_mm": [2, 2, 2]})
    state = second.state_dict()
    preprocessing_note.add_to_note(state, images=["c"])
    note = preprocessing_note.read_metadata(state)
    assert note["training_images"] == ["a", "b", "c"] and note["spacing_mm"] == [2, 2, 2]
    other = second.state_dict()
    other._metadata["trained_with"]["training_images"] = ["z"]
    second.load_state_dict(other)  # as a server that loads a later round
    assert noted(second) == ["a", "b", "z"]
    third = built()  # a server loads by its own loader, after the note is attached
    attach_metadata(third, {})
    third.load_state_dict(state)
    assert noted(third) == ["a", "b", "c"]
