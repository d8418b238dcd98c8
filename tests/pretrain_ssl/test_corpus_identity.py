"""`python -m scripts corpus prepare` on series without trustworthy identifiers."""

import csv
from pathlib import Path

import anonymous_archive
import nibabel as nib
import numpy as np
import pytest
from bundle_runs import python_here
from dicom_series import body
from helpers import BUNDLES


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    source = anonymous_archive.build(tmp_path_factory.mktemp("archive") / "source")
    destination = source.parent / "corpus"
    command = ["-m", "scripts", "corpus", "prepare", source, destination]
    python_here(BUNDLES / "pretrain_ssl", *command, "--workers", 1, "--spacing_mm", 3.0)
    return destination


@pytest.fixture(scope="module")
def table_rows(corpus) -> dict[str, list[dict]]:
    """Rows of both tables by source."""
    by_source = {}
    for name in ("accepted", "rejected"):
        with (corpus / "private" / f"{name}.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                by_source.setdefault(row["source"], []).append(row)
    return by_source


@pytest.mark.parametrize(("source", "expected"), anonymous_archive.EXPECTED.items())
def test_nothing_is_put_together_without_identity(source, expected, corpus, table_rows):
    (row,) = table_rows[source]
    if isinstance(expected, anonymous_archive.Reason):
        assert row.get("reason", row).startswith(expected)
        return
    assert expected in row["repairs"] and bool(row["repairs"]) == bool(expected), row
    volume = np.asarray(nib.load(corpus / "volumes" / f"{row['id']}.nii").dataobj)
    hu = np.maximum(body(seed=anonymous_archive.SEEDS[source]), -1024)
    if "rounded" not in source:  # on the grid already: the voxels are the body's own
        assert int(volume.max()) == hu.max() and set(np.unique(volume)) <= set(np.unique(hu))
    assert row["shape"] == "40 x 36 x 24"


def test_there_is_no_other_volume(table_rows):
    assert set(table_rows) == set(anonymous_archive.EXPECTED)
