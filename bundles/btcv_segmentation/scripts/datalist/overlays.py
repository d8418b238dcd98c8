"""The small config by which a bundle learns another set of labels."""

import numpy as np

from .check_files import Found

PERCENTILES = (0.5, 99.5)  # of labelled voxels: nnU-Net's intensity range


def overlay_of(found: Found) -> dict:
    """Keys that follow from the data: labels, to be named, spacing and intensity range.

    The spacing is the median along each axis, the intensity range that of labelled voxels but for
    half a percent at either end, as in nnU-Net (Isensee et al. 2021).
    """
    numbers = sorted(set.union(*found.numbers.values()))
    low, high = np.percentile(np.concatenate(found.intensities), PERCENTILES)
    return {
        "_desc_": "follows train.json, evaluate.json or inference.json in the list of config files",
        "labels": {"0": "background"} | {str(number): f"label {number}" for number in numbers},
        "class_weights": None,
        "spacing_mm": [round(float(mm), 3) for mm in np.median(found.spacings_mm, axis=0)],
        "hu_min": round(float(low)),
        "hu_max": round(float(high)),
    }
