"""Reads the series as the bundle does, on the grid that the SDK found."""

import logging

import numpy as np
from monai.deploy.core import Fragment
from monai.deploy.core.domain import Image
from monai.deploy.operators.dicom_series_to_volume_operator import DICOMSeriesToVolumeOperator

from common.errors import InputError

from .check_input import Series

logger = logging.getLogger(__name__)

# A DICOM segmentation copies them; the standard lets them be empty (type 2), not absent.
COPIED = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate"),
    *("StudyTime", "AccessionNumber", "SliceThickness"),
)
TOLERANCE_MM = 1e-2


class VolumeReaderOperator(DICOMSeriesToVolumeOperator):
    """Replaces the SDK's voxels by those of the bundles' own reader, where both have one grid.

    The SDK's types follow the first slice: where all its values are above 0, air in other slices
    turns to large numbers.

    Args:
        fragment: the application.
        series: as the bundles' reader reads it.
    """

    def __init__(self, fragment: Fragment, *args, series: Series, **kwargs) -> None:
        self.series = series
        super().__init__(fragment, *args, **kwargs)

    def convert_to_image(self, study_selected_series_list) -> Image:
        image = super().convert_to_image(study_selected_series_list)
        selected = study_selected_series_list[0].selected_series[0]
        affine = np.asarray(image.metadata()["affine"], dtype=float)
        voxels = self.series.values.transpose(2, 1, 0)
        is_same = image.asnumpy().shape == voxels.shape
        if not is_same or not np.allclose(affine, self.series.affine, rtol=0, atol=TOLERANCE_MM):
            raise InputError(
                f"{self.series.name}: the SDK places its slices elsewhere than the bundle's own "
                "reader; segment it by `python -m monai.bundle run`."
            )
        self._add_empty_tags(selected.series)
        selected.image = Image(voxels, image.metadata())
        return selected.image

    def _add_empty_tags(self, series) -> None:
        slices = [item.get_native_sop_instance() for item in series.get_sop_instances()]
        absent = [tag for tag in COPIED if any(tag not in item for item in slices)]
        for tag in absent:
            for item in slices:
                if tag not in item:
                    setattr(item, tag, None)
        if absent:
            logger.warning(f"{self.series.name}: left empty in the result: {', '.join(absent)}")
