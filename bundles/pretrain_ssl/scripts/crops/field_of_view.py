"""Warns of volumes that are not cropped to the body, where the place of a crop in them counts."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from ..common.errors import list_first
from ..common.runtime.distributed import is_main_process
from .mapped_volume import Voxels, open_file

MOST_FILES = 20  # looked into, spread over the data
DEPTH = 2  # planes of an edge; one may be lost where a corpus was rounded

logger = logging.getLogger(__name__)


def check_fields_of_view(
    data: Mapping[str, Sequence[dict]],
    spacing_mm: Sequence[float],
    body_above_hu: float,
    position_weight: float,
) -> None:
    """Warns of files on the training's grid that have air at an edge, if positions are trained.

    Such a file is used as it is, and a position counts from its edges. Any other file is cropped to
    the body, so that the same volume would have other positions in it.

    Args:
        data: that of `split_volumes`; some files of it are looked into.
        spacing_mm: the training's, x, y, z.
        body_above_hu: voxels above this HU are body.
        position_weight: 0 looks into none.

    Raises:
        InputError: a file is shorter than its header says.
    """
    if not position_weight or not is_main_process():
        return
    paths = sorted({item["image"] for items in data.values() for item in items})
    chosen = paths[:: -(-len(paths) // MOST_FILES)]
    volumes = [open_file(path, spacing_mm) for path in chosen]
    with_air = [
        volume.path
        for volume in volumes
        if volume is not None and has_air_at_an_edge(volume.voxels(), body_above_hu)
    ]
    if with_air:
        logger.warning(
            f"{len(with_air)} of {len(chosen)} files that were looked into lie on the training's "
            f"grid and are not cropped to the body: {list_first(with_air, 3)}; the position of a "
            "crop counts from their edges, and in any other file from the body's; crop them too, "
            "as `python -m scripts corpus prepare` does"
        )


def has_air_at_an_edge(voxels: Voxels, body_above_hu: float) -> bool:
    """Tells whether the outermost planes of an edge show no body.

    The edges along x are left out, because they lie in all pages of a file.

    Args:
        voxels: (X, Y, Z), of which a few planes are read.
        body_above_hu: voxels above this HU are body.
    """
    outer, every = (slice(None, DEPTH), slice(-DEPTH, None)), slice(None)
    edges = [(every, planes, every) for planes in outer] + [(every, every, p) for p in outer]
    return any(np.max(voxels.hu(edge)) <= body_above_hu for edge in edges)
