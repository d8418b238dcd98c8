"""Labelled images are known again by their bytes, from the note beside weights."""

import os

import pytest
import torch
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
    assert len(digest) == 8 and set(digest) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "other", [BYTES + b"x", BYTES[:10_000] + b"x" + BYTES[10_001:], BYTES[:-1] + b"x", b""]
)
def test_other_bytes_are_another_image(tmp_path, other):
    items = [written(tmp_path / "a.nii", BYTES), written(tmp_path / "b.nii", other[:20_001])]
    assert len(training_images.digest_images(items)) == 2


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
