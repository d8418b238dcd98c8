"""The encoder of a pre-training, and its decoder, as files that a fine-tuning starts from."""

import logging

import pytest
import torch
from weight_layouts import LAYOUTS, built, copied, encoder_of, saved

from common.weights import preprocessing_note, pretrained

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


HEADS = {"mask_token": torch.rand(12), "position_head.weight": torch.rand(27, 192)}


def test_a_decoder_goes_with_the_encoder_and_all_of_it_into_a_segmentation(
    export, tmp_path, caplog, capsys
):
    caplog.set_level(logging.INFO)
    network = built(out_channels=1)
    preprocessing_note.attach_metadata(network, SETTINGS | {"objective": "masked"})
    state = network.state_dict()
    state.update(HEADS)
    path = saved(tmp_path / "a.pt", {"network": state})
    export.export_encoder(path, str(tmp_path / "encoder.pt"))
    files = {n: torch.load(tmp_path / f"{n}.pt", weights_only=True) for n in ("encoder", "network")}
    assert files["encoder"].keys() == encoder_of(state).keys()
    out = {"out.conv.conv.weight", "out.conv.conv.bias"}
    assert files["network"].keys() == state.keys() - HEADS.keys() - out
    assert all(torch.equal(files["network"][name], state[name]) for name in files["network"])
    note = SETTINGS | {"objective": "masked", "merging": "current"}
    assert [preprocessing_note.read_metadata(file) for file in files.values()] == [note, note]
    told = capsys.readouterr().out
    assert "encoder: 70 tensors of" in told and "(objective masked; patch merging current" in told
    assert f"encoder and decoder: {len(files['network'])} tensors in" in told

    segmentation = built(out_channels=14)
    pretrained.load_pretrained(segmentation, str(tmp_path / "network.pt"), SETTINGS)
    assert "encoder 70 of 70 tensors, decoder 31 of 33 from" in caplog.messages[-1]
    own = segmentation.state_dict()
    assert own.keys() - files["network"].keys() == out
    assert all(torch.equal(own[name], value) for name, value in files["network"].items())


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_decoder_of_any_layout_is_exported_where_there_is_one(export, tmp_path, kind):
    _, has_decoder, _, make = LAYOUTS[kind]
    merging = "legacy" if kind in ("model_swinvit", "disruptive autoencoders", "SuPreM") else None
    state = copied(built(merging or "current"))
    export.export_encoder(saved(tmp_path / "a.pt", make(state)), str(tmp_path / "encoder.pt"))
    assert (tmp_path / "network.pt").exists() == has_decoder


def test_a_decoder_that_lacks_a_block_is_none_and_an_earlier_file_is_named(
    export, tmp_path, capsys
):
    state = copied(built())
    path, out = saved(tmp_path / "a.pt", state), tmp_path / "new/encoder.pt"
    export.export_encoder(path, str(out))
    part = {name: value for name, value in state.items() if not name.startswith("encoder3.")}
    capsys.readouterr()
    export.export_encoder(saved(tmp_path / "a.pt", part), str(out))
    told = capsys.readouterr().out
    assert f"{out.with_name('network.pt')} is of another export: this checkpoint has no" in told


def test_no_file_is_written_over_the_checkpoint_or_the_other_file(export, refusal, tmp_path):
    path = saved(tmp_path / "network.pt", copied(built()))
    before = (tmp_path / "network.pt").read_bytes()
    with refusal(r"network\.pt is the checkpoint to export from"):
        export.export_encoder(path, str(tmp_path / "encoder.pt"))
    with refusal(r"network\.pt is the name of the file with the decoder"):
        export.export_encoder(path, str(tmp_path / "new/network.pt"))
    assert [p.name for p in tmp_path.iterdir()] == ["network.pt"]
    assert (tmp_path / "network.pt").read_bytes() == before
