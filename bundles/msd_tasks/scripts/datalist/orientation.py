"""Decides whether the headers of a task's images reverse x and y, by public reports or by hand."""

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib

from ..common.data.nifti_header import open_nifti
from ..common.errors import list_first

# Public reports, with evidence, of images whose anatomy lies in LPS under the affine of RAS.
LPS_UNDER_RAS = {"Task09_Spleen": "https://github.com/Project-MONAI/model-zoo/issues/766"}


def decide_orientation(
    task: str, paths: Sequence[str], channels: int, by_hand: bool | None = None
) -> tuple[bool, str]:
    """Decides about a task, and says in one line why.

    A report is about headers that say RAS. Where one says something else, the files are not as the
    report found them, and nothing is corrected.

    Args:
        task: such as Task09_Spleen.
        paths: of all its images, whose headers were checked.
        channels: of an image.
        by_hand: the value on the command line; None: none was given.
    """
    if by_hand is not None:
        return by_hand, f"msd_orientation is {str(by_hand).lower()}, as the command says"
    if task not in LPS_UNDER_RAS:
        return False, "msd_orientation is false: no report says that the headers are wrong"
    others = [
        Path(path).name
        for path in paths
        if nib.aff2axcodes(open_nifti(path, channels).affine) != ("R", "A", "S")
    ]
    if others:
        return False, (
            f"msd_orientation is false: {len(others)} of {len(paths)} headers are not RAS as in "
            f"the report {LPS_UNDER_RAS[task]} ({list_first(others)}); `datalist show` draws them, "
            "--msd_orientation true corrects them"
        )
    return True, f"msd_orientation is true: the headers reverse x and y ({LPS_UNDER_RAS[task]})"
