import json

import pytest
from helpers import BUNDLES

from tools.deploy_app.codes import (
    ABNORMAL_STRUCTURE,
    ANATOMICAL_STRUCTURE,
    NEOPLASM,
    STRUCTURES,
    choose_codes,
)


def test_organs_of_btcv_have_codes_of_their_own_but_the_veins():
    metadata = json.loads((BUNDLES / "btcv_segmentation/configs/metadata.json").read_text())
    labels = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    names = [name for number, name in labels.items() if number != "0"]
    general = [name for name in names if choose_codes(name)[1] == ANATOMICAL_STRUCTURE]
    assert general == ["portal and splenic veins"]
    assert set(STRUCTURES) <= {name.lower() for name in names}, "a code that no label uses"


@pytest.mark.parametrize("name", ["Liver tumour", "cancer"])
def test_tumour_is_an_abnormal_structure(name):
    assert choose_codes(name) == (ABNORMAL_STRUCTURE, NEOPLASM)


def test_capitals_do_not_matter():
    assert choose_codes("Spleen") == choose_codes("spleen")
    assert choose_codes("Spleen")[1].value == "78961009"
