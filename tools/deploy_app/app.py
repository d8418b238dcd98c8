"""Connects the SDK's operators to one application."""

from pathlib import Path

from monai.deploy.conditions import CountCondition
from monai.deploy.core import AppContext, Application
from monai.deploy.core.domain import Image
from monai.deploy.core.io_type import IOType
from monai.deploy.operators.dicom_data_loader_operator import DICOMDataLoaderOperator
from monai.deploy.operators.dicom_seg_writer_operator import DICOMSegmentationWriterOperator
from monai.deploy.operators.dicom_series_selector_operator import DICOMSeriesSelectorOperator
from monai.deploy.operators.monai_bundle_inference_operator import (
    IOMapping,
    MonaiBundleInferenceOperator,
)

from .check_input import Series
from .read_volume import VolumeReaderOperator
from .segments import describe_segments
from .write_nifti import NiftiWriterOperator


class SegmentationApp(Application):
    """Segments the series of a folder: `-i` DICOM files, `-o` results, `-m` the model.

    The model is a bundle's folder, or a TorchScript file of `python -m monai.bundle ckpt_export`.

    Args:
        series: of the folder.
        metadata: of the bundle, which names the labels.
        output: the folder to write to.
    """

    def __init__(self, series: Series, metadata: dict, output: Path) -> None:
        self.series, self.metadata, self.output = series, metadata, output
        super().__init__()

    def compose(self) -> None:
        context: AppContext = Application.init_app_context(self.argv)
        model = Path(context.model_path).resolve()
        context.models = None  # the operator loads a bundle's folder from bundle_path alone
        once = CountCondition(self, 1)  # an operator without input runs again and again
        load = DICOMDataLoaderOperator(
            self, once, input_folder=Path(context.input_path), name="load"
        )
        select = DICOMSeriesSelectorOperator(self, name="select")
        volume = VolumeReaderOperator(self, series=self.series, name="volume")
        segment = MonaiBundleInferenceOperator(
            self,
            input_mapping=[IOMapping("image", Image, IOType.IN_MEMORY)],
            output_mapping=[IOMapping("pred", Image, IOType.IN_MEMORY)],
            app_context=context,
            bundle_path=model,
            name="segment",
        )
        write_dicom = DICOMSegmentationWriterOperator(
            self,
            segment_descriptions=describe_segments(self.metadata),
            output_folder=self.output,
            name="write_dicom",
        )
        write_nifti = NiftiWriterOperator(
            self, path=self.output / "pred.nii.gz", name="write_nifti"
        )

        series = ("study_selected_series_list", "study_selected_series_list")
        self.add_flow(load, select, {("dicom_study_list", "dicom_study_list")})
        self.add_flow(select, volume, {series})
        self.add_flow(volume, segment, {("image", "image")})
        self.add_flow(select, write_dicom, {series})
        self.add_flow(segment, write_dicom, {("pred", "seg_image")})
        self.add_flow(volume, write_nifti, {("image", "image")})
        self.add_flow(segment, write_nifti, {("pred", "pred")})
