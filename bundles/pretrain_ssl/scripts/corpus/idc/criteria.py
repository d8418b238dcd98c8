"""What a CT series must fulfil to be selected: collection, licence, slices, place in its study."""

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...common.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

# Of the licences in the index, those that permit commercial use; all ask to name the source. Not
# CC BY-NC, nor the Visible Human's own terms. A licence that IDC adds is left out until read.
COMMERCIAL = ("CC BY 3.0", "CC BY 4.0")
# Phantoms, computed objects, meat and mice: anatomy of patients is what is to be learnt.
NOT_PATIENTS = (
    *("cc_radiomics_phantom", "cc_radiomics_phantom_2", "cc_radiomics_phantom_3"),
    *("ct4harmonization_multicentric", "ct_phantom4radiomics", "dro_toolkit", "lung_phantom"),
    *("mri_dir", "phantom_fda", "qiba_ct_1c", "qiba_ct_liver_phantom", "rider_phantom_pet_ct"),
    "uw_cirp_mouse_pet_ct_nsclc",
)


def fitting(
    series: "pd.DataFrame",
    *,
    collections: str | None,
    exclude: str | None,
    licences: str | None,
    min_slices: int | None,
    max_slices: int | None,
    series_per_study: int | None,
) -> "pd.DataFrame":
    """The series that fit; the arguments are those of `idc.select`.

    Raises:
        InputError: an unknown collection or licence; the condition that leaves nothing.
    """
    names, kinds = series["collection_id"], series["license_short_name"]
    if collections is None:
        fits = {"all but phantoms and animals": ~names.isin(NOT_PATIENTS)}
    else:
        fits = {f"--collections {collections}": names.isin(_collections(collections, names))}
    if exclude is not None:
        fits[f"--exclude {exclude}"] = ~names.isin(_collections(exclude, names))
    if licences is not None:
        fits[f"--licences {licences}"] = kinds.isin(_licences(licences, kinds.unique()))
    if min_slices is not None:
        fits[f"--min_slices {min_slices}"] = series["instanceCount"] >= min_slices
    if max_slices is not None:
        fits[f"--max_slices {max_slices}"] = series["instanceCount"] <= max_slices
    chosen = _all_of(fits, series)
    return chosen if series_per_study is None else _most_slices(chosen, series_per_study)


def _all_of(fits: dict[str, "pd.Series"], series: "pd.DataFrame") -> "pd.DataFrame":
    """The series that fit every condition; `fits` has a column of true and false for each."""
    for flag, column in fits.items():
        count, series = len(series), series[column.loc[series.index]]
        if series.empty:
            raise InputError(
                f"{flag} leaves nothing of the {count:,} series that fit the conditions before it; "
                "loosen it."
            )
    return series


def _most_slices(series: "pd.DataFrame", count: int) -> "pd.DataFrame":
    """At most `count` series of each study: the thinnest slices, or the longest scan."""
    if count < 1:
        raise InputError(f"--series_per_study takes a number from 1, not {count}.")
    ordered = series.sort_values(
        ["instanceCount", "SeriesInstanceUID"], ascending=[False, True], kind="stable"
    )
    return ordered.groupby(["collection_id", "StudyInstanceUID"], sort=False).head(count)


def _collections(text: str, column: "pd.Series") -> list[str]:
    """IDC's names of collections; `LIDC-IDRI`, as TCIA writes it, is `lidc_idri`."""
    known = column.unique()
    names = [name.strip().lower().replace("-", "_").replace(" ", "_") for name in text.split(",")]
    for name in names:
        if name not in known:
            elsewhere = "TCIA has some that IDC has not: of restricted access, or not as DICOM."
            raise InputError(
                f"IDC's index has no CT collection {name}; {_closest(name, known) or elsewhere}"
            )
    return names


def _licences(text: str, known: Iterable[str]) -> list[str]:
    """Licences by short name in any case; one of the names has a comma in it."""
    if text.strip().lower() == "commercial":
        return list(COMMERCIAL)
    spelling = {name.lower(): name for name in known}
    names = [text] if text.lower() in spelling else text.split(",")
    names = [name.strip().lower() for name in names]
    for name in names:
        if name not in spelling:
            listed = f"there are commercial, {', '.join(sorted(known))}."
            raise InputError(
                f"IDC's index has no licence {name}; {_closest(name, spelling) or listed}"
            )
    return [spelling[name] for name in names]


def _closest(name: str, known: Iterable[str]) -> str:
    """`did you mean …?`, or nothing where no known name resembles it."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else ""
