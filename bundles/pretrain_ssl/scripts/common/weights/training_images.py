# generated from common/weights/training_images.py, do not edit: `make copies`
"""Notes beside weights which labelled images they were trained on, and finds these again.

The note has a short digest of each image, made from the file's size and two pieces of its bytes.
Neither names nor voxels can be read from it: only who has the very file can tell that it was used.
A file that was saved anew, such as packed or resampled, is not recognised.
"""

import hashlib
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

KEY = "training_images"  # of the note
PIECE = 4096  # bytes, in the middle and at the end of a file, where a CT is not air alone
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
    """Returns the digest of an image's file; None for what is no path of a file."""
    if not isinstance(path, (str, Path)) or not Path(path).is_file():
        return None
    size = Path(path).stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        for start in (size // 2, size - PIECE):
            file.seek(max(0, start))
            digest.update(file.read(PIECE))
    return digest.hexdigest()[:DIGITS]


def join(note: MutableMapping[str, Any], digests: Iterable[str]) -> None:
    """Adds digests to those of a note; a note gets no list of none."""
    joined = sorted({*note.get(KEY, []), *digests})
    if joined:
        note[KEY] = joined
