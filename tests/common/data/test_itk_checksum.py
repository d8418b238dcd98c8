"""Compressed voxels in several files, or behind a line of text, as SimpleITK reads them."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest

from common.data.open_image import open_image

HU = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)
NRRD = (
    "NRRD0004\ntype: short\ndimension: 3\nsizes: 3 4 5\nendian: little\n"
    "space: left-posterior-superior\nspace directions: (1,0,0) (0,1,0) (0,0,1)\n"
    "space origin: (0,0,0)\nencoding: gzip\n"
)
META = (
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
    "CompressedData = True\nElementSpacing = 1 1 1\nDimSize = 3 4 5\nElementType = MET_SHORT\n"
)
NAMES = "".join(f"slice{z}.gz\n" for z in range(5))
HEADERS = {
    "list.nhdr": f"{NRRD}data file: LIST\n{NAMES}",
    "pattern.nhdr": f"{NRRD}data file: slice%d.gz 0 4 1\n",
    "skip.nhdr": f"{NRRD}line skip: 1\ndata file: behind_a_line.gz\n",
    "list.mhd": f"{META}ElementDataFile = LIST\n{NAMES}",
    "pattern.mhd": f"{META}ElementDataFile = slice%d.gz 0 4 1\n",
}


def written(folder: Path, name: str) -> tuple[Path, Path]:
    """Writes a header and its voxels; returns the header's file and the last one of voxels."""
    pack = zlib.compress if name.endswith(".mhd") else gzip.compress
    for z in range(5):
        (folder / f"slice{z}.gz").write_bytes(pack(HU[:, :, z].tobytes(order="F")))
    behind = folder / "behind_a_line.gz"
    behind.write_bytes(b"a line\n" + pack(HU.tobytes(order="F")))
    (folder / name).write_text(HEADERS[name])
    return folder / name, behind if name == "skip.nhdr" else folder / "slice4.gz"


@pytest.mark.parametrize("name", HEADERS)
def test_every_file_of_voxels_is_read_and_its_checksum_compared(tmp_path, name):
    path, voxels = written(tmp_path, name)
    np.testing.assert_array_equal(open_image(path).dataobj, HU)
    content = bytearray(voxels.read_bytes())
    content[-1] ^= 1  # of the checksum, or of the size behind it
    voxels.write_bytes(content)
    with pytest.raises(OSError, match="is damaged|cannot be read"):
        np.asarray(open_image(path).dataobj)
