# generated from common/inference/outputs.py, do not edit: `make copies`
"""Lists the images of an inference, and names the output file of each."""

import os
from pathlib import Path

from monai.data import FolderLayoutBase

from ..data.datalist import SECTIONS, dataset_root, find_images, read_datalist
from ..data.dicom.series_names import find_series
from ..data.nifti import NIFTI_ENDINGS
from ..errors import InputError


def list_images(dataset_dir: str, datalist: str | None = None) -> list[dict]:
    """Lists the images of an inference, `{"image": path}`, each once; reads no header.

    Args:
        dataset_dir: an image file, a folder of one DICOM series, or a folder with NIfTI files and
            DICOM series in it and its sub-folders; see `datalist.find_images`, `find_series`.
        datalist: Decathlon JSON; all its sections, paths relative to `dataset_dir`.

    Raises:
        InputError: there is no image, or two would be written to one file.
    """
    if datalist:
        lists = [read_datalist(datalist, dataset_dir, name, is_labelled=False) for name in SECTIONS]
        paths = [item["image"] for items in lists for item in items]
        if not paths:
            raise InputError(f"datalist {datalist} lists no image; add some.")
    else:
        paths = _list_folder(dataset_dir)
    image_by_name: dict[str, str] = {}
    names = OutputNames("", dataset_dir)
    for path in dict.fromkeys(paths):
        name = names.filename(path)
        if name in image_by_name:
            raise InputError(
                f"{image_by_name[name]} and {path} would have one prediction, {name}; rename one "
                "of them."
            )
        image_by_name[name] = path
    return [{"image": path} for path in image_by_name.values()]


def _list_folder(dataset_dir: str) -> list[str]:
    """Lists the NIfTI files and DICOM series in a folder."""
    series = find_series(dataset_dir) if Path(dataset_dir).is_dir() else []
    try:
        return sorted(find_images(dataset_dir) + series)
    except InputError:
        if not series:
            raise
        return series


class OutputNames(FolderLayoutBase):
    """Names output files for `SaveImaged`: `<output_dir>/<sub-folders>/<stem>_<postfix>.nii.gz`.

    MONAI's `FolderLayout` takes the text behind a name's last dot for an ending, which the folders
    of DICOM series do not have, and leaves `output_dir` for an image beside `dataset_dir`.

    Args:
        output_dir: folder of the files.
        dataset_dir: the folder whose sub-folders are mirrored, or one image. An image beside the
            folder is named as if it lay inside.
        postfix: "seg".
    """

    def __init__(self, output_dir: str, dataset_dir: str, postfix: str = "seg") -> None:
        self.output_dir, self.root, self.postfix = output_dir, dataset_root(dataset_dir), postfix

    def filename(self, subject: str = "subject", idx=None, **kwargs) -> str:
        """Names the output file of an image.

        Args:
            subject: path of the image, a file or the name of a DICOM series.
        """
        path = os.path.abspath(subject)
        parts = [part for part in Path(os.path.relpath(path, self.root)).parts if part != ".."]
        *folders, name = parts or [Path(path).name]
        for ending in reversed(NIFTI_ENDINGS):
            name = name.removesuffix(ending)
        return str(Path(self.output_dir, *folders, f"{name}_{self.postfix}.nii.gz"))
