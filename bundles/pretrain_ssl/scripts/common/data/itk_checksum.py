# generated from common/data/itk_checksum.py, do not edit: `make copies`
"""Checks compressed voxels of MetaImage and NRRD, which SimpleITK returns even if damaged."""

import os
import re
import zlib
from pathlib import Path

HEAD = 65536  # bytes, more than a header in text has
IS_COMPRESSED = re.compile(rb"^(CompressedData\s*=\s*True|encoding:\s*gz(ip)?)\s*$", re.M | re.I)
VOXEL_FILE = re.compile(rb"^(?:ElementDataFile\s*=|data ?file:)[ \t]*(.+?)\r?\n", re.M | re.I)
LINE_SKIP = re.compile(rb"^line ?skip:\s*(\d+)", re.M | re.I)
ATTACHED = re.compile(rb"\r?\n\r?\n")  # of NRRD: voxels begin behind an empty line


def check_compression(path: str) -> None:
    """Compares the checksum of compressed voxels, in every file that holds some of them.

    Args:
        path: of a MetaImage or NRRD file, or of the header of one whose voxels are in other files.

    Raises:
        OSError: the voxels do not fit their checksum, or end early, or a file is missing.
        ValueError: the header numbers its files in no known way.
    """
    with open(path, "rb") as file:
        head = file.read(HEAD)
    if not IS_COMPRESSED.search(head):
        return
    skip = LINE_SKIP.search(head)
    for name, start in list_voxel_files(path, head):
        _check_file(name, start, int(skip[1]) if skip else 0)


def list_voxel_files(path: str | Path, head: bytes) -> list[tuple[Path, int]]:
    """Lists the files that hold voxels, each with the byte at which these begin.

    The header names one file, or `LIST` with a name in each line behind it, or a pattern with the
    first and last number and the step: `slice%03d.raw.gz 1 120 1`.

    Args:
        path: of the header.
        head: the header's first `HEAD` bytes.
    """
    named, blank = VOXEL_FILE.search(head), ATTACHED.search(head)
    if named is None:
        return [(Path(path), blank.end() if blank else 0)]
    words = os.fsdecode(named[1])
    if words == "LOCAL":
        return [(Path(path), named.end())]
    names = [words]
    if words.split()[0] == "LIST":
        lines = Path(path).read_bytes()[named.end() :].splitlines()
        names = [os.fsdecode(line.strip()) for line in lines if line.strip()]
    elif "%" in words:
        pattern, first, last, *step = words.split()
        numbers = range(int(first), int(last) + 1, int(step[0]) if step else 1)
        names = [pattern % number for number in numbers]
    return [(Path(path).parent / name, 0) for name in names]


def _check_file(path: Path, start: int, skipped_lines: int) -> None:
    """Decompresses a file to its end, where the checksum is compared."""
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)  # by its head of zlib or of gzip
    with open(path, "rb") as file:
        file.seek(start)
        for _ in range(skipped_lines):
            file.readline()
        try:
            while not decompressor.eof and (part := file.read(HEAD)):
                decompressor.decompress(part)
        except zlib.error as error:
            raise OSError(f"{path} is damaged: {error}") from error
    if not decompressor.eof:
        raise OSError(f"{path} ends early")
