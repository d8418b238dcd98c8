"""The encoder of a pre-training as the file that a fine-tuning starts from."""

import pytest
import torch
from weight_layouts import built, copied, encoder_of, saved

from common.weights import preprocessing_note

SETTINGS = {"spacing_mm": [1.5, 1.5, 1.5], "intensity_min": -1000, "intensity_max": 1000}


@pytest.mark.parametrize("is_checkpoint", [True, False])
def test_the_encoder_alone_with_what_it_was_trained_with(export, tmp_path, capsys, is_checkpoint):
    network = built()
    preprocessing_note.attach_metadata(network, SETTINGS)
    state = network.state_dict()
    path = saved(tmp_path / "a.pt", {"network": state} if is_checkpoint else state)
    export.export_encoder(path, str(tmp_path / "models/encoder.pt"))
    encoder = torch.load(tmp_path / "models/encoder.pt", weights_only=True)
    assert encoder.keys() == encoder_of(copied(network)).keys()
    assert all(torch.equal(encoder[name], state[name]) for name in encoder)
    assert preprocessing_note.read_metadata(encoder) == SETTINGS | {"merging": "current"}
    assert "encoder: 70 tensors of" in (told := capsys.readouterr().out)
    assert "(patch merging current, by its note)" in told


def test_what_carries_nothing_gets_the_patch_merging_alone(export, tmp_path):
    path = saved(tmp_path / "a.pt", copied(built("legacy")))
    export.export_encoder(path, str(tmp_path / "encoder.pt"))
    encoder = torch.load(tmp_path / "encoder.pt", weights_only=True)
    assert preprocessing_note.read_metadata(encoder) == {"merging": "legacy"}


def test_a_patch_merging_that_nothing_tells_is_asked_for(export, refusal, tmp_path):
    untrained = built()
    for module in untrained.modules():
        if hasattr(module, "reduction"):
            module.reduction.reset_parameters()
    path, out = saved(tmp_path / "a.pt", copied(untrained)), tmp_path / "encoder.pt"
    with refusal("does not tell its patch merging .*give --merging legacy if it was trained with"):
        export.export_encoder(path, str(out))
    assert not out.exists()
    export.export_encoder(path, str(out), "legacy")
    assert preprocessing_note.read_metadata(torch.load(out, weights_only=True)) == {
        "merging": "legacy"
    }


def test_a_file_without_encoder_is_refused(export, refusal, tmp_path):
    with refusal(r"a\.pt has no encoder of a Swin UNETR"):
        path = saved(tmp_path / "a.pt", {"out.weight": torch.ones(1)})
        export.export_encoder(path, str(tmp_path / "encoder.pt"))
    assert not (tmp_path / "encoder.pt").exists()
