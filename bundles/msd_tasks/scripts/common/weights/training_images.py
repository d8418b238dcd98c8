# generated from common/weights/training_images.py, do not edit: `make copies`
"""Notes beside weights which labelled images they were trained on, and finds these again.

The note has a short digest of each image, made from sizes and pieces of the files with its voxels.
Neither names nor voxels can be read from it: only who has the very file can tell that it was used.
A file that was saved anew, such as packed or resampled, is not recognised.
"""

import hashlib
import random
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from ..data.image_files import list_image_files

KEY = "training_images"  # of the note
# Of a digest. One without it was made of two pieces, in which images of other patients may agree
# (constant padding of an uncompressed file), so that such a one says nothing.
VERSION = "v2:"
PIECE = 4096  # bytes, eight rows of a slice or fewer
PIECES = 32  # at drawn places of a file: of 1500 numbers of slices, some lie in the body for each
DIGITS = 8  # hexadecimal: of 1000 images and 1000 others, two agree by chance once in 4000 times


def digest_images(items: Iterable[Any]) -> list[str]:
    """Returns the digests of the labelled images of a data set, sorted, each once.

    Args:
        items: `{"image": path, "label": path}`; items of another kind are left out.
    """
    labelled = [item for item in items if isinstance(item, Mapping) and "label" in item]
    digests = [digest_image(item.get("image")) for item in labelled]
    return sorted({digest for digest in digests if digest})


def digest_image(path: Any) -> str | None:
    """Returns the digest of an image, `v2:` and digits; None for what is no path of a file.

    Of an image whose voxels are in other files than its header, the voxels alone count.
    """
    if not isinstance(path, (str, Path)) or not Path(path).is_file():
        return None
    files = list_image_files(path)
    digest = hashlib.sha256()
    for file in files[1:] or files:
        _add_file(digest, file)
    return VERSION + digest.hexdigest()[:DIGITS]


def split_by_version(digests: Iterable[str]) -> tuple[set[str], set[str]]:
    """Splits a note's digests into those that `digest_image` gives, and those of an older kind."""
    digests = {*digests}
    current = {digest for digest in digests if digest.startswith(VERSION)}
    return current, digests - current


def _add_file(digest: Any, path: Path) -> None:
    """Adds a file's size and pieces of it, or all of a small file, to a digest."""
    size = path.stat().st_size
    digest.update(str(size).encode())
    rng = random.Random(size)  # not at even steps, where slices may have their edges
    with path.open("rb") as file:
        if size <= PIECE * PIECES:
            digest.update(file.read())
            return
        for start in sorted(int(rng.random() * (size - PIECE)) for _ in range(PIECES)):
            file.seek(start)
            digest.update(file.read(PIECE))


def join(note: MutableMapping[str, Any], digests: Iterable[str]) -> None:
    """Adds digests to those of a note; a note gets no list of none."""
    joined = sorted({*note.get(KEY, []), *digests})
    if joined:
        note[KEY] = joined
