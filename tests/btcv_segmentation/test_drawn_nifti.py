"""Inference on drawn NIfTI files: the block is labelled where it lies, or one sentence says why."""

import importlib
import sys
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from drawn_nifti import Drawn, drawn_files
from helpers import config_files, import_scripts
from hypothesis import HealthCheck, given, settings
from monai.bundle import ConfigParser
from monai.data import decollate_batch, list_data_collate

FIELDS = ("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x")
FIELDS += ("qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z")


def network(windows: torch.Tensor) -> torch.Tensor:
    """Scores background below and spleen above half of the range of intensities."""
    scores = torch.full((len(windows), 14, *windows.shape[2:]), -20.0)
    scores[:, 1] = 20 * (windows[:, 0] - 0.5)
    scores[:, 0] = -scores[:, 1]
    return scores


@pytest.fixture(scope="module")
def segment(tmp_path_factory):
    """Segments a file as `configs/inference.json` does, with `network`: path, sentence, files."""
    path = sys.path.copy()
    import_scripts("btcv_segmentation")
    sys.path[:] = path  # no other test sees what a module's fixture has changed
    folder, output = tmp_path_factory.mktemp("i"), tmp_path_factory.mktemp("o")
    parser = ConfigParser()
    parser.read_config(config_files("btcv_segmentation", "inference"))
    parser.update({"output_dir": str(output), "dataset_dir": str(folder), "device": "cpu"})
    parser.update({"patch_size": [16, 16, 16], "save_probabilities": True, "spacing_mm": [2.0] * 3})
    before, after = (parser.get_parsed_content(f"{n}processing") for n in ("pre", "post"))
    inferer = parser.get_parsed_content("inferer")
    sentence_of = importlib.import_module("scripts.common.errors").sentence_of

    def run(content: bytes) -> tuple[Path, str | None, dict[str, nib.Nifti1Image]]:
        path = folder / "a.nii"
        path.write_bytes(content)
        try:
            batch = list_data_collate([before({"image": str(path)})])
            batch["pred"] = inferer(batch["image"], network)
            after(decollate_batch(batch)[0])
        except Exception as error:
            sentence = sentence_of(error)
            if sentence is None:
                raise
            return path, sentence, {}
        return path, None, {e: nib.load(output / f"a_{e}.nii.gz") for e in ("seg", "prob")}

    return run


DRAWN = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@settings(DRAWN, max_examples=60)
@given(drawn=drawn_files())
def test_labels_lie_where_the_block_is_or_one_sentence_says_why_not(segment, drawn):
    labels_lie_where_the_block_is(segment, drawn)


@pytest.mark.slow
@settings(DRAWN, max_examples=150)
@given(drawn=drawn_files())
def test_the_same_of_more_files(segment, drawn):
    labels_lie_where_the_block_is(segment, drawn)


def labels_lie_where_the_block_is(segment, drawn: Drawn) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path, sentence, written = segment(drawn.content)
    if sentence:
        assert str(path) in sentence and "\n" not in sentence
        assert not drawn.is_sound, sentence
        return
    image = nib.load(path)
    is_on_grid(written["seg"], image)
    is_on_grid(written["prob"], image)
    shows_the_block(np.asarray(written["seg"].dataobj), drawn)
    says_what_is_guessed(" ".join(str(warning.message) for warning in caught), drawn)


def is_on_grid(written: nib.Nifti1Image, image: nib.Nifti1Image) -> None:
    assert written.shape[:3] == image.shape[:3]
    for field in FIELDS:
        np.testing.assert_array_equal(written.header[field], image.header[field])
    np.testing.assert_array_equal(written.header["pixdim"][:4], image.header["pixdim"][:4])
    np.testing.assert_array_equal(written.affine, image.affine)
    assert written.header["xyzt_units"] & 7 == image.header["xyzt_units"] & 7


def shows_the_block(labels: np.ndarray, drawn: Drawn) -> None:
    assert drawn.hu is not None
    values = drawn.hu[np.isfinite(drawn.hu)]
    is_bright = np.where(np.isfinite(drawn.hu), drawn.hu, values.min()) > 37.5
    if not is_bright.any():
        assert not labels.any()
    elif np.ptp(np.clip(values, -175, 250)) == 425:
        grown = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in drawn.block)
        core = tuple(slice(p.start + (p.stop - p.start > 1), p.start + 2) for p in drawn.block)
        outside = labels.copy()
        outside[grown] = 0
        assert not outside.any() and (labels[core] == 1).all()


def says_what_is_guessed(said: str, drawn: Drawn) -> None:
    assert ("no orientation in its header" in said) == (not drawn.has_forms)
    assert ("converted to mm" in said) == (drawn.unit in (1, 3))
    assert ("mm are assumed" in said) == (drawn.unit > 3)
    assert ("are not finite" in said) == (not np.isfinite(drawn.hu).all())
    is_blank = np.ptp(np.clip(drawn.hu[np.isfinite(drawn.hu)], -175, 250)) == 0
    assert ("no window varies" in said) == is_blank
