"""The encoder of a pre-training as the file that a fine-tuning starts from."""

import pytest
import torch
from weight_layouts import built, copied, encoder_of, saved

SETTINGS = {"spacing_mm": [1.5, 1.5, 1.5], "intensity_min": -1000, "intensity_max": 1000}


@pytest.mark.parametrize("is_checkpoint", [True, False])
def test_the_encoder_alone_with_what_it_was_trained_with(scripts, tmp_path, capsys, is_checkpoint):
    network = built()
    scripts.agreement.carry(network, SETTINGS)
    state = network.state_dict()
    path = saved(tmp_path / "a.pt", {"network": state} if is_checkpoint else state)
    scripts.export.export_encoder(path, str(tmp_path / "models/encoder.pt"))
    encoder = torch.load(tmp_path / "models/encoder.pt", weights_only=True)
    assert encoder.keys() == encoder_of(copied(network)).keys()
    assert all(torch.equal(encoder[name], state[name]) for name in encoder)
    assert scripts.agreement.carried(encoder) == SETTINGS | {"merging": "current"}
    assert "encoder: 70 tensors of" in (told := capsys.readouterr().out)
    assert "(patch merging current, by its note)" in told


def test_what_carries_nothing_gets_the_patch_merging_alone(scripts, tmp_path):
    path = saved(tmp_path / "a.pt", copied(built("legacy")))
    scripts.export.export_encoder(path, str(tmp_path / "encoder.pt"))
    encoder = torch.load(tmp_path / "encoder.pt", weights_only=True)
    assert scripts.agreement.carried(encoder) == {"merging": "legacy"}


def test_a_patch_merging_that_nothing_tells_is_asked_for(scripts, refusal, tmp_path):
    untrained = built()
    for module in untrained.modules():
        if hasattr(module, "reduction"):
            module.reduction.reset_parameters()
    path, out = saved(tmp_path / "a.pt", copied(untrained)), tmp_path / "encoder.pt"
    with refusal("does not tell its patch merging .*give --merging legacy if it was trained with"):
        scripts.export.export_encoder(path, str(out))
    assert not out.exists()
    scripts.export.export_encoder(path, str(out), "legacy")
    assert scripts.agreement.carried(torch.load(out, weights_only=True)) == {"merging": "legacy"}


def test_a_file_without_encoder_is_refused(scripts, refusal, tmp_path):
    with refusal(r"a\.pt has no encoder of a Swin UNETR"):
        path = saved(tmp_path / "a.pt", {"out.weight": torch.ones(1)})
        scripts.export.export_encoder(path, str(tmp_path / "encoder.pt"))
    assert not (tmp_path / "encoder.pt").exists()
