"""Files on the training's grid with air around the body, where positions are trained."""

import importlib
import logging

import numpy as np
import pytest
from helpers import write_nifti

SPACING_MM = (2.0, 2.0, 2.0)


@pytest.fixture
def check(scripts, caplog):
    """`check(paths, weight)` is the warning about these files, or ""."""
    module = importlib.import_module("scripts.crops.field_of_view")

    def check_files(paths: list[str], weight: float = 1.0) -> str:
        caplog.clear()
        caplog.set_level(logging.WARNING)
        data = {"training": [{"image": path} for path in paths], "validation": []}
        module.check_fields_of_view(data, SPACING_MM, -500, weight)
        return caplog.text

    return check_files


def write(path, air: tuple = (0, 0, 0), spacing_mm=SPACING_MM) -> str:
    """A body of 0 HU, with planes of air in front of it along x, y, z."""
    body = np.zeros((12, 12, 12), dtype=np.int16)
    return write_nifti(path, np.pad(body, [(n, 0) for n in air], constant_values=-1000), spacing_mm)


@pytest.mark.parametrize("air", [(0, 3, 0), (0, 0, 3), (4, 4, 4)])
def test_air_at_an_edge_of_a_file_on_the_grid_is_told_where_positions_count(check, tmp_path, air):
    paths = [write(tmp_path / "a.nii", air), write(tmp_path / "b.nii")]
    assert "1 of 2 files that were looked into lie on the training's grid" in check(paths)
    assert f"{paths[0]}; the position of a crop counts from their edges" in check(paths)
    assert check(paths, weight=0) == ""


def test_files_that_are_cropped_or_will_be_are_no_matter(check, tmp_path):
    paths = [
        write(tmp_path / "cropped.nii"),
        write(tmp_path / "one_plane.nii", (0, 1, 1)),
        write(tmp_path / "packed.nii.gz", (3, 3, 3)),
        write(tmp_path / "other_grid.nii", (3, 3, 3), (1.0, 1.0, 1.0)),
    ]
    assert check(paths) == ""


def test_few_of_many_files_are_looked_into(check, tmp_path, monkeypatch):
    module = importlib.import_module("scripts.crops.field_of_view")
    opened = []
    monkeypatch.setattr(module, "open_file", lambda path, spacing_mm: opened.append(path))
    assert check([f"{number:03}.nii" for number in range(205)]) == ""
    assert len(opened) == 19 and opened[0] == "000.nii" and opened[-1] == "198.nii"
