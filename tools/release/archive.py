"""Writes and reads reproducible zips: the same files give the same bytes on every machine."""

import hashlib
import zipfile
from pathlib import Path

from common.errors import InputError

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can hold
UNIX = 3
READABLE_FILE = 0o100644
BLOCK = 1 << 20


def write_zip(folder: Path, path: Path) -> None:
    """Writes a folder as a zip that holds it under its own name.

    Files are stored, not compressed: what a compressor writes depends on its version. Order, times
    and permissions are fixed.

    Args:
        folder: holds plain files only.
        path: the zip, written anew.
    """
    names = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*")}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, file in sorted(names.items()):
            if file.is_dir():
                continue
            entry = zipfile.ZipInfo(f"{folder.name}/{name}", EARLIEST)
            entry.create_system = UNIX
            entry.external_attr = READABLE_FILE << 16
            entry.file_size = file.stat().st_size
            with file.open("rb") as source, archive.open(entry, "w") as target:
                while block := source.read(BLOCK):
                    target.write(block)


def unpack(path: Path, folder: Path) -> tuple[Path, list[str]]:
    """Unpacks a bundle's zip.

    Args:
        path: the zip.
        folder: where it is unpacked.

    Returns:
        The folder of the bundle, and the names of links in the zip, which are not unpacked.

    Raises:
        InputError: it is no whole zip, holds a path out of itself, or not exactly one folder.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            damaged = archive.testzip()
            outside = [e.filename for e in entries if is_outside(e.filename)]
            if damaged or outside:
                raise InputError(
                    f"{path} is damaged or not safe to unpack ({damaged or outside[0]}); download "
                    "it again, and compare its checksum."
                )
            links = [e.filename for e in entries if (e.external_attr >> 28) == 0o12]
            archive.extractall(folder, [e for e in entries if e.filename not in links])
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is no whole zip ({error}); download it again.") from error
    tops = {entry.filename.partition("/")[0] for entry in entries}
    if len(tops) != 1 or not (folder / min(tops)).is_dir():
        raise InputError(
            f"{path} holds {len(tops)} names at its top, and MONAI expects one folder, the "
            "bundle's; build it by `python tools/release build`."
        )
    return folder / tops.pop(), links


def is_outside(name: str) -> bool:
    """Tells whether a name in a zip leads out of the folder that it is unpacked in, or nowhere."""
    parts = name.replace("\\", "/").split("/")
    return parts[0] == "" or ".." in parts


def checksum(path: Path, kind: str = "sha256") -> str:
    """Computes the checksum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()
