"""Selects public CT series of Imaging Data Commons (IDC), and writes a manifest to download them.

IDC holds most CTs of The Cancer Imaging Archive (TCIA) as DICOM, free of charge. Its index of all
series comes with the package `idc-index`, so choosing needs no internet.
"""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from ...common.atomic_write import write_text
from ...common.cli.kinds import Count, Positive, Seed
from ...common.errors import InputError
from . import summary
from .criteria import filter_series
from .subset import sample

if TYPE_CHECKING:
    import pandas as pd

# The paper's sources as far as IDC holds them; `docs/corpus.md` compares volume by volume.
PAPER = {
    "collections": ["lidc_idri", "ct_colonography", "covid_19_ar", "covid_19_ny_sbu"],
    # colonography: prone and supine, as in the official list (about 1,600 of 3,451 series)
    "series_per_study": 2,
}
# Values of `select`'s flags; a flag on the command line overrides the preset's.
PRESETS = {
    "paper": PAPER,
    "commercial": {"licences": "commercial"},
    "taste": PAPER | {"series_per_study": 1, "max_gb": 10.0},
}
# Thirty slices of 5 mm cover the 144 mm of a crop (96 voxels of 1.5 mm); scouts have one or two.
DEFAULTS = {"min_slices": 30}
COLUMNS = [
    *("collection_id", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "instanceCount"),
    *("license_short_name", "source_DOI", "series_size_MB", "series_aws_url", "analysis_result_id"),
]
# prepare takes a top folder for a patient where the DICOM header names none.
FOLDERS = "%collection_id-%PatientID/%StudyInstanceUID/%SeriesInstanceUID"


def select(
    manifest: str,
    *,
    preset: str | None = None,
    collections: list[str] | None = None,
    exclude: list[str] | None = None,
    licences: str | None = None,
    min_slices: Count | None = None,
    max_slices: Count | None = None,
    series_per_study: Count | None = None,
    max_series: Count | None = None,
    max_gb: Positive | None = None,
    seed: Seed = 0,
) -> str:
    """Writes a manifest of CT series of Imaging Data Commons for `idc download`.

    The file `<stem>_sources.csv` beside the manifest lists each source's DOI, to be cited, and its
    licence.

    Args:
        manifest: file to write, for instance `paper.s5cmd`.
        preset: `paper`, the sources of Tang et al. (CVPR 2022) that IDC holds; `commercial`, all
            whose licence permits commercial use; `taste`, 10 GB of `paper`. Other flags override.
        collections: IDC's names, separated by commas; default all but phantoms and animals.
        exclude: collections to leave out.
        licences: short names separated by commas (`CC BY 3.0,CC BY 4.0`), or `commercial`.
        min_slices: of a series; default 30, which leaves out scouts.
        max_slices: of a series.
        series_per_study: keeps as many of a study's reconstructions, those of most slices.
        max_series: size of a sample, spread evenly over collections and then patients.
        max_gb: size of such a sample in GB (10^9 bytes) of DICOM.
        seed: of the sample; a smaller one of the same seed is part of a larger one.

    Returns:
        The report: series, patients, studies and GB by collection and licence; the next command.

    Raises:
        InputError: the index does not know a name; a criterion leaves no series.
    """
    knobs = _apply_preset(dict(locals()))
    path = Path(knobs.pop("manifest"))
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it.")
    series, version = read_index()
    flags = [f"{name}={_to_word(value)}" for name, value in knobs.items() if value is not None]
    del knobs["preset"]
    limits = {name: knobs.pop(name) for name in ("max_series", "max_gb", "seed")}
    series = sample(filter_series(series, **knobs), **limits)
    return _write(path, series, f"Imaging Data Commons {version}, {' '.join(flags)}")


def read_index() -> tuple["pd.DataFrame", str]:
    """Reads every CT series of the index, a row each, and IDC's version, for instance `v25`.

    Screenshots and raw projections, which the index counts among CTs too, and series that were
    derived from others are left out.

    Raises:
        InputError: the package `idc-index` is not installed.
    """
    try:
        import idc_index_data
        import pandas as pd
    except ImportError:
        raise InputError("select reads idc-index; install it: pip install idc-index") from None
    series = pd.read_parquet(
        idc_index_data.IDC_INDEX_PARQUET_FILEPATH,
        columns=COLUMNS,
        filters=[("Modality", "==", "CT"), ("sop_class_name", "==", "CT Image Storage")],
    )
    series = series[series["analysis_result_id"].isna()]
    return series, f"v{idc_index_data.__version__.partition('.')[0]}"


def _apply_preset(arguments: dict) -> dict:
    """Replaces every argument that is None by the preset's value, else by the default."""
    preset = arguments["preset"]
    if preset is not None and preset not in PRESETS:
        raise InputError(f"There is no preset {preset}; there are {', '.join(PRESETS)}.")
    defaults = DEFAULTS | PRESETS.get(preset, {})
    return {name: defaults.get(name) if v is None else v for name, v in arguments.items()}


def _to_word(value) -> str:
    """Returns a flag's value as the command line takes it."""
    return ",".join(value) if isinstance(value, list) else str(value)


def _write(path: Path, series: "pd.DataFrame", origin: str) -> str:
    """Writes manifest and sources, and returns the report."""
    columns = ["collection_id", "PatientID", "StudyInstanceUID", "SeriesInstanceUID"]
    urls = series.sort_values(columns)["series_aws_url"]
    # The format of IDC's own manifests: s5cmd's commands, whose target `idc download` replaces.
    lines = [f"# {origin}", *(f"cp {url} ." for url in urls)]
    sources = path.with_name(f"{path.stem}_sources.csv")
    write_text(sources, summary.sources_csv(series))
    write_text(path, "\n".join(lines) + "\n")
    download = ["idc", "download", str(path), "--download-dir", "dicom", "--dir-template", FOLDERS]
    return (
        f"{summary.report(series)}\n\n{path} chooses from {origin}.\n"
        f"{sources} lists the DOIs to cite.\nNext: {shlex.join(download)}"
    )
