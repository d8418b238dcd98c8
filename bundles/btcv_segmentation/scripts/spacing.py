# Shared: the original is bundles/btcv_segmentation/scripts/spacing.py (see tools/vendor.py).
"""Resampling that leaves a server's own items alone."""

from monai.transforms import Spacingd as MonaiSpacingd


class Spacingd(MonaiSpacingd):
    """MONAI's `Spacingd`, which sees its own keys alone.

    MONAI's takes every item whose name begins with `image_` for metadata and updates it; MONAI
    Label's `image_path` is a text and has no `update`.
    """

    def __call__(self, data, lazy: bool | None = None) -> dict:
        own = {key: data[key] for key in self.key_iterator(data)}
        return {**data, **super().__call__(own, lazy)}
