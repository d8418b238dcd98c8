"""What MONAI Deploy's bundle operator reads, held without the SDK."""

import json

import pytest
from helpers import BUNDLES

SEGMENTATIONS = ["btcv_segmentation", "msd_tasks"]


@pytest.mark.parametrize("name", SEGMENTATIONS)
def test_bundle_has_what_the_operator_of_deploy_reads(name):
    config = json.loads((BUNDLES / name / "configs/inference.json").read_text())
    for item in ("preprocessing", "postprocessing", "inferer", "device", "network_def"):
        assert item in config, item
    metadata = json.loads((BUNDLES / name / "configs/metadata.json").read_text())
    formats = metadata["network_data_format"]
    assert list(formats["inputs"]) == ["image"]
    assert list(formats["outputs"]) == ["pred"]
    for values in (formats["inputs"]["image"], formats["outputs"]["pred"]):
        assert values["type"] == "image"  # the operator makes an Image of it
        assert len(values["spatial_shape"]) == 3
    assert formats["inputs"]["image"]["num_channels"] == config["channels"]
    labels = formats["outputs"]["pred"]["channel_def"]  # its order is that of the segments
    assert list(labels) == [str(number) for number in range(len(config["labels"]))]
    assert list(labels.values()) == list(config["labels"].values())
    # the operator strips SaveImage, so that labels of one channel must come before
    kinds = [item["_target_"] for item in config["postprocessing"]["transforms"]]
    kept = [kind for kind in kinds if not kind.startswith("SaveImage")]
    assert kept[-1] == "scripts.common.segmentation.ChannelsToLabelsd"
