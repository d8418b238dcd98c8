"""Filters CT series by collection, licence, number of slices, and place in their study."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...common.errors import InputError, suggest

if TYPE_CHECKING:
    import pandas as pd

# Of the licences in the index, those that permit commercial use; all ask to name the source. Not
# CC BY-NC, nor the Visible Human's own terms. A licence that IDC adds is left out until read.
COMMERCIAL = ("CC BY 3.0", "CC BY 4.0")
# Phantoms, computed objects, meat and mice: pre-training is to learn the anatomy of patients.
NOT_PATIENTS = (
    *("cc_radiomics_phantom", "cc_radiomics_phantom_2", "cc_radiomics_phantom_3"),
    *("ct4harmonization_multicentric", "ct_phantom4radiomics", "dro_toolkit", "lung_phantom"),
    *("mri_dir", "phantom_fda", "qiba_ct_1c", "qiba_ct_liver_phantom", "rider_phantom_pet_ct"),
    "uw_cirp_mouse_pet_ct_nsclc",
)


def filter_series(
    series: "pd.DataFrame",
    *,
    collections: list[str] | None,
    exclude: list[str] | None,
    licences: str | None,
    min_slices: int | None,
    max_slices: int | None,
    series_per_study: int | None,
) -> "pd.DataFrame":
    """Keeps the series that meet every criterion; the arguments are those of `select`.

    Raises:
        InputError: a collection or licence is unknown; a criterion leaves no series.
    """
    names, short_names = series["collection_id"], series["license_short_name"]
    if collections is None:
        criteria = {"all but phantoms and animals": ~names.isin(NOT_PATIENTS)}
    else:
        flag = f"--collections {','.join(collections)}"
        criteria = {flag: names.isin(_parse_collections(collections, names))}
    if exclude is not None:
        flag = f"--exclude {','.join(exclude)}"
        criteria[flag] = ~names.isin(_parse_collections(exclude, names))
    if licences is not None:
        known = _parse_licences(licences, short_names.unique())
        criteria[f"--licences {licences}"] = short_names.isin(known)
    if min_slices is not None:
        criteria[f"--min_slices {min_slices}"] = series["instanceCount"] >= min_slices
    if max_slices is not None:
        criteria[f"--max_slices {max_slices}"] = series["instanceCount"] <= max_slices
    series = _apply(criteria, series)
    return series if series_per_study is None else _keep_longest(series, series_per_study)


def _apply(criteria: dict[str, "pd.Series"], series: "pd.DataFrame") -> "pd.DataFrame":
    """Keeps the series that meet every criterion.

    Args:
        criteria: by flag a column of true and false.
        series: a row each.
    """
    for flag, column in criteria.items():
        count, series = len(series), series[column.loc[series.index]]
        if series.empty:
            raise InputError(
                f"{flag} leaves nothing of the {count:,} series that fit the conditions before it; "
                "loosen it."
            )
    return series


def _keep_longest(series: "pd.DataFrame", count: int) -> "pd.DataFrame":
    """Keeps at most `count` series of each study: those of most slices."""
    ordered = series.sort_values(
        ["instanceCount", "SeriesInstanceUID"], ascending=[False, True], kind="stable"
    )
    return ordered.groupby(["collection_id", "StudyInstanceUID"], sort=False).head(count)


def _parse_collections(words: list[str], column: "pd.Series") -> list[str]:
    """Converts collections to IDC's names; TCIA's `LIDC-IDRI` is `lidc_idri`."""
    known = column.unique()
    names = [word.strip().lower().replace("-", "_").replace(" ", "_") for word in words]
    for name in names:
        if name not in known:
            elsewhere = "TCIA has some that IDC has not: of restricted access, or not as DICOM."
            raise InputError(
                f"IDC's index has no CT collection {name}; {suggest(name, known) or elsewhere}"
            )
    return names


def _parse_licences(text: str, known: Iterable[str]) -> list[str]:
    """Converts licences to IDC's spelling; one of IDC's names has a comma in it."""
    if text.strip().lower() == "commercial":
        return list(COMMERCIAL)
    spelling = {name.lower(): name for name in known}
    names = [text] if text.lower() in spelling else text.split(",")
    names = [name.strip().lower() for name in names]
    for name in names:
        if name not in spelling:
            choices = f"there are commercial, {', '.join(sorted(known))}."
            raise InputError(
                f"IDC's index has no licence {name}; {suggest(name, spelling) or choices}"
            )
    return [spelling[name] for name in names]
