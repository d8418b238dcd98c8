"""Names the file that an inference writes for an image, each image another."""

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from monai.data import FolderLayoutBase

from ..errors import InputError
from .formats import stem_of
from .image_folder import printable

MAX_NAME_BYTES = 255  # of a file's name, on nearly every file system
SPARE_BYTES = 12  # for the longest postfix


class OutputNames(FolderLayoutBase):
    """Names output files for `SaveImaged`: `<output_dir>/<sub-folders>/<stem>_<postfix><ending>`.

    MONAI's `FolderLayout` takes the text behind a name's last dot for an ending, which the folders
    of DICOM series do not have, and leaves `output_dir` for an image beside `dataset_dir`.

    Args:
        output_dir: folder of the files.
        dataset_dir: the folder whose sub-folders are mirrored, or one image. An image beside the
            folder is named as if it lay inside.
        postfix: "seg".
        ending: of the files.
    """

    def __init__(
        self, output_dir: str, dataset_dir: str, postfix: str = "seg", ending: str = ".nii.gz"
    ) -> None:
        self.output_dir, self.root = output_dir, dataset_root(dataset_dir)
        self.postfix, self.ending = postfix, ending

    def filename(self, subject: str = "subject", idx=None, **kwargs) -> str:
        """Names the output file of an image.

        Args:
            subject: path of the image, a file or the name of a DICOM series.
        """
        path = os.path.abspath(subject)
        parts = [part for part in Path(os.path.relpath(path, self.root)).parts if part != ".."]
        *folders, name = parts or [Path(path).name]
        name = f"{stem_of(name)}_{self.postfix}{self.ending}"
        return str(Path(self.output_dir, *folders, name))


def check_distinct(paths: Iterable[str], dataset_dir: str) -> list[str]:
    """Checks that no two images have one output file; returns the paths, each once.

    Names that differ in case alone, or in how an accent is written, count as one: they are one
    file on a Mac, on Windows and on many shared disks.

    Raises:
        InputError: two images would have one output file, or a name would be too long.
    """
    names, by_name = OutputNames("", dataset_dir), {}
    for path in dict.fromkeys(paths):
        name = names.filename(path)
        if len(os.fsencode(os.path.basename(name))) + SPARE_BYTES > MAX_NAME_BYTES:
            raise InputError(
                f"{printable(path)} has too long a name for its output file; give it a shorter one."
            )
        other = by_name.setdefault(unicodedata.normalize("NFC", name).casefold(), path)
        if other != path:
            raise InputError(
                f"{printable(other)} and {printable(path)} would have one output file, "
                f"{printable(name)}; rename one of them."
            )
    return list(by_name.values())


def dataset_root(dataset_dir: str) -> str:
    """Returns the folder whose sub-folders outputs mirror: `dataset_dir`, or its one file's."""
    return str(Path(dataset_dir).parent if Path(dataset_dir).is_file() else dataset_dir)
