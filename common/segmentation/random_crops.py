"""Chooses the transform that draws training crops, and checks those that turn them."""

from collections.abc import Iterable, Mapping, Sequence

from monai.transforms import (
    Compose,
    MapTransform,
    RandCropByLabelClassesd,
    RandCropByPosNegLabeld,
    RandRotate90d,
    Transform,
)

from ..errors import InputError

KEYS = ("image", "label")


def random_crops(
    spatial_size: Sequence[int],
    num_samples: int,
    labels: Mapping[str, str],
    ratios: Sequence[float] | None = None,
) -> MapTransform:
    """Makes the transform that draws crops of `image` and `label`.

    With ratios, a crop's centre is a random voxel of a class drawn by them; a class that an image
    does not show is never drawn. Background is then the whole volume, air too: after a z-score the
    intensity 0 is an ordinary tissue, and no threshold of air.

    Args:
        spatial_size: edges of a crop in voxels; a volume must be as large.
        num_samples: crops of a volume.
        labels: names by number, see `label_transforms.numbers_and_names`.
        ratios: share of each label's crops, in ascending order of its number, the background
            first: [1, 1, 2]. None: as many crops centred on any label as on voxels above 0 that
            have none.

    Raises:
        InputError: the number of ratios is not that of the labels, or the background's is 0.
    """
    if ratios is None:
        return RandCropByPosNegLabeld(
            KEYS, "label", spatial_size, pos=1, neg=1, num_samples=num_samples, image_key="image"
        )
    if len(ratios) != len(labels):
        raise InputError(
            f"class_ratios are {len(ratios)}, labels {len(labels)}; give one for each, or null."
        )
    if ratios[0] <= 0:  # an image without any label has no other crops
        raise InputError(
            f"class_ratios {list(ratios)} leave no crop of an image without labels; give the "
            "background, the first, more than 0."
        )
    return RandCropByLabelClassesd(
        KEYS,
        "label",
        spatial_size,
        ratios=list(ratios),
        num_classes=len(labels),
        num_samples=num_samples,
        warn=False,
    )


def check_turns(augmentation: Iterable[Transform], patch_size: Sequence[int], crops: int) -> None:
    """Refuses turns by 90 degrees after which the crops of one step have different shapes.

    Args:
        augmentation: of each crop.
        patch_size: edges of a crop in voxels, X, Y and Z.
        crops: in one step; a single one may have any shape.

    Raises:
        InputError: as above.
    """
    for transform in augmentation:
        if isinstance(transform, Compose):
            check_turns(transform.transforms, patch_size, crops)
        elif isinstance(transform, RandRotate90d) and crops > 1:
            first, second = ("xyz"[axis] for axis in transform.spatial_axes)
            edges = {patch_size[axis] for axis in transform.spatial_axes}
            if len(edges) > 1:
                raise InputError(
                    f"--patch_size {list(patch_size)} has other edges along {first} than along "
                    f"{second}, and the augmentation exchanges both when it turns a crop by 90 "
                    "degrees; give equal edges, or an overlay whose `augmentation` has no "
                    "RandRotate90d."
                )
