"""Describes the segments of a DICOM segmentation by the labels in a bundle's metadata."""

from monai.deploy.operators.dicom_seg_writer_operator import SegmentDescription

from .codes import choose_codes


def describe_segments(metadata: dict) -> list[SegmentDescription]:
    """Describes each label but the background, in the order of the label numbers.

    Args:
        metadata: of the bundle; `network_data_format.outputs.pred.channel_def` gives the labels.
    """
    labels = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    names = [labels[str(number)] for number in range(1, len(labels))]
    return [_describe(name, metadata) for name in names]


def _describe(name: str, metadata: dict) -> SegmentDescription:
    category, kind = choose_codes(name)
    return SegmentDescription(
        segment_label=name,
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_name=metadata["name"][:64],
        algorithm_version=metadata["version"],
    )
