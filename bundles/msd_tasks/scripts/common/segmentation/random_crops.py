# generated from common/segmentation/random_crops.py, do not edit: `make copies`
"""Chooses the transform that draws training crops: by foreground, or by class."""

from collections.abc import Mapping, Sequence

from monai.transforms import MapTransform, RandCropByLabelClassesd, RandCropByPosNegLabeld

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
