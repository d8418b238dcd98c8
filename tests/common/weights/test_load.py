"""Weights between files and networks: which tensors move, what is said, what is refused."""

import importlib
import logging
import re
import sys
from types import ModuleType

import pytest
import torch
from helpers import config_files
from monai.bundle import ConfigParser
from torch import nn
from weight_layouts import built, copied, encoder_of, look_trained, saved, suprem

from common.weights import load

HERE = {"spacing_mm": [1.5, 1.5, 2.0], "intensity_min": -175, "intensity_max": 250}
OUT = {"out.conv.conv.weight", "out.conv.conv.bias"}


@pytest.fixture
def line(caplog):
    """The one line of the report, made anew for each use."""
    caplog.set_level(logging.INFO)

    def last() -> str:
        (message,) = caplog.messages
        caplog.clear()
        return message

    return last


def changed(network: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    after = network.state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}


def learnt(state: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, value in state.items() if value.is_floating_point()}


def of_bundle(bundle: str, **knobs) -> nn.Module:
    """The demo network of a bundle whose scripts are loaded."""
    parser = ConfigParser()
    parser.read_config(config_files(bundle, "train", "demo"))
    parser.update(knobs)
    return look_trained(parser.get_parsed_content("network_def"), "current")


def part(name: str) -> ModuleType:
    """A module of that bundle's own."""
    return importlib.import_module(f"scripts.{name}")


# the way from pre-training to fine-tuning


@pytest.mark.parametrize("use_v2", [False, True])
def test_encoder_moves_bit_for_bit_and_nothing_else_changes(load_scripts, tmp_path, use_v2):
    load_scripts("pretrain_ssl")
    source = of_bundle("pretrain_ssl", use_v2=use_v2)
    checkpoint = saved(tmp_path / "best.pt", {"network": source.state_dict(), "trainer": {"a": 1}})
    part("export").export_encoder(checkpoint, str(tmp_path / "models/encoder.pt"))

    load_scripts("btcv_segmentation")
    network = of_bundle("btcv_segmentation", use_v2=use_v2)
    before, encoder = copied(network), encoder_of(copied(source))
    part("common.weights.load").load_pretrained(network, str(tmp_path / "models/encoder.pt"))
    random = {n for n in learnt(encoder) if not torch.equal(before[n], encoder[n])}
    assert changed(network, before) == random and len(random) >= 34
    assert encoder.keys() == encoder_of(copied(network)).keys()
    assert all(torch.equal(network.state_dict()[name], encoder[name]) for name in encoder)


def test_pre_training_starts_from_an_encoder_or_from_its_own_network(load_scripts, tmp_path, line):
    load_scripts("pretrain_ssl")
    weights = part("common.weights.load")
    source, network = of_bundle("pretrain_ssl"), of_bundle("pretrain_ssl")
    before = copied(network)
    weights.load_pretrained(network, saved(tmp_path / "e.pt", encoder_of(copied(source))))
    assert {name.split(".")[0] for name in changed(network, before)} == {"swinViT"}
    assert "encoder 70 of 70 tensors from" in (told := line()) and "heads from scratch" in told
    weights.load_pretrained(network, saved(tmp_path / "model.pt", copied(source)))
    assert not changed(network, copied(source))
    heads = len(before) - 70
    assert f"heads {heads} of {heads} from" in (told := line()) and "left out" not in told
    assert "pre-training of this project" in told


def test_other_heads_of_pre_training_are_not_loaded_in_silence(load_scripts, tmp_path):
    load_scripts("pretrain_ssl")
    network = of_bundle("pretrain_ssl")
    state = copied(network) | {"rotation_head.new.weight": torch.ones(1)}
    with pytest.raises(part("common.errors").InputError, match="1 of .* tensors unknown"):
        part("common.weights.load").load_weights(network, saved(tmp_path / "a.pt", state))


def test_other_number_of_classes_keeps_all_but_the_last_layer(tmp_path, line):
    source, network = built(out_channels=14), built(out_channels=3)
    before, given = copied(network), copied(source)
    load.load_pretrained(network, saved(tmp_path / "model.pt", given))
    arrived = copied(network)
    assert all(torch.equal(arrived[n], before[n] if n in OUT else given[n]) for n in before)
    assert line().endswith("; left out: 2 of the output layer (classes: 14, here 3)")


# the one line


@pytest.mark.parametrize("nothing", [None, ""])
def test_from_scratch_changes_nothing_and_says_so(line, nothing, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/x/monai/bundle/__main__.py", "run"])
    network = built()
    before = copied(network)
    load.load_pretrained(network, nothing)
    assert not changed(network, before) and line().startswith("weights: from scratch")


def test_the_report_as_documented(tmp_path, line):
    path = saved(tmp_path / "encoder.pt", encoder_of(copied(built())))
    load.load_pretrained(built(), path, HERE)
    assert line() == (
        f"weights: encoder 70 of 70 tensors from {path} (SwinUNETR; patch merging current, by the "
        "weights themselves (score -1.0, current up to 1); carries no spacing or intensity range); "
        "decoder from scratch"
    )
    unknown = copied(built()) | {"student.weight": torch.ones(1)}
    load.load_pretrained(built(), path := saved(tmp_path / "a.pt", unknown))
    assert line().endswith("; left out: 1 unknown (such as student.weight)")


# what is not this network's encoder


def test_the_pre_trainings_own_flags_are_named(refusal, load_scripts, tmp_path):
    load_scripts("pretrain_ssl")
    network, path = of_bundle("pretrain_ssl"), saved(tmp_path / "a.pt", refused_state("heads"))
    with refusal("give --network_def::encoder::num_heads"):
        load.load_pretrained(network, path)
    path = saved(tmp_path / "b.pt", refused_state("feature size"))
    with refusal("give --network_def::encoder::embed_dim 24, or other weights"):
        load.load_pretrained(network, path)


def refused_state(kind: str) -> dict:
    encoder = encoder_of(copied(built()))
    first = "swinViT.layers1.0.blocks.0.norm1.weight"
    return {
        "missing tensor": {n: v for n, v in encoder.items() if n != first},
        "other shape": encoder | {first: torch.ones(13)},
        "unknown tensor": encoder | {"swinViT.new": torch.ones(1)},
        "missing stage": {n: v for n, v in encoder.items() if "layers3" not in n},
        "feature size": copied(built(feature_size=24)),
        "depths": copied(built(depths=[2, 2, 2, 2])),
        "heads": copied(built(num_heads=[3, 6, 12, 12])),
        "window": copied(built(window_size=[7, 7, 7])),
        "use_v2": copied(built(use_v2=True)),
        "channels": copied(built(in_channels=2)),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("missing tensor", r"does not hold .* 1 of 70 tensors missing \(such as .*norm1.weight\)"),
        ("other shape", "1 of 70 tensors of another shape"),
        ("unknown tensor", r"1 of 70 tensors unknown \(such as swinViT\.new\)"),
        ("missing stage", "16 of 70 tensors missing .*--allow_partial True takes what fits"),
        (
            "feature size",
            "has feature size 24, this network 12; give --network_def::feature_size 24, or other",
        ),
        (
            "depths",
            r'has depths 2,2,2,2, this network 1,1,1,1; give --network_def::depths "\[2,2,2,2\]"',
        ),
        ("heads", r"has heads 3,6,12,12, this network 3,6,12,24; give --network_def::num_heads"),
        (
            "window",
            r'has window size 7, this network 4; give --network_def::window_size "\[7,7,7\]"',
        ),
        (
            "use_v2",
            "network with use_v2, and this one is without use_v2; give --network_def::use_v2 True",
        ),
        ("channels", "has input channels 2, this network 1; give the configuration"),
    ],
)
def test_what_is_not_the_encoder_is_refused(refusal, tmp_path, kind, sentence):
    network, path = built(), saved(tmp_path / "a.pt", refused_state(kind))
    before = copied(network)
    with refusal(f"^{re.escape(path)} .*{sentence}"):
        load.load_pretrained(network, path)
    assert not changed(network, before)


def test_v1_encoder_in_a_v2_network_is_refused(refusal, tmp_path):
    path = saved(tmp_path / "a.pt", copied(built()))
    with refusal("without use_v2, and this one is with use_v2; give --network_def::use_v2 False"):
        load.load_pretrained(built(use_v2=True), path)


def test_no_encoder_by_any_name_is_refused(refusal, tmp_path):
    path = saved(tmp_path / "a.pt", {"backbone.layer1.0.weight": torch.ones(1)})
    with refusal(r"a\.pt has no encoder of a Swin UNETR.* first tensor is backbone\.layer1\.0"):
        load.load_pretrained(built(), path)


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("missing tensor", "encoder 69 of 70"),
        ("missing stage", "encoder 54 of 70"),
        ("depths", "encoder 70 of 70"),
        ("use_v2", "8 of the encoder that have no place here"),
        ("other shape", "encoder 69 of 70"),
    ],
)
def test_a_part_is_taken_when_asked_for_and_counted(tmp_path, line, kind, counts):
    path = saved(tmp_path / "a.pt", refused_state(kind))
    load.load_pretrained(built(), path, allow_partial=True)
    assert counts in line()


def test_another_feature_size_is_no_part(refusal, tmp_path):
    path = saved(tmp_path / "a.pt", refused_state("feature size"))
    with refusal("has feature size 24, this network 12"):
        load.load_pretrained(built(), path, allow_partial=True)


def test_nothing_that_fits_is_no_part_either(refusal, tmp_path):
    path = saved(tmp_path / "a.pt", {"swinViT.new": torch.ones(1)})
    with refusal("has no tensor that fits this network's encoder"):
        load.load_pretrained(built(), path, allow_partial=True)


# more input channels


def test_one_channel_becomes_several_only_when_asked(refusal, tmp_path, line):
    source, network = built(), built(in_channels=4)
    path, before = saved(tmp_path / "a.pt", copied(source)), copied(network)
    with refusal("has input channels 1, this network 4; --inflate_input True repeats"):
        load.load_pretrained(network, path)
    assert not changed(network, before)
    load.load_pretrained(network, path, inflate_input=True)
    assert "the one input channel repeated" in line()
    image = torch.rand(1, 1, 64, 32, 32)
    with torch.no_grad():
        assert torch.allclose(network(image.expand(-1, 4, -1, -1, -1)), source(image), atol=1e-4)


def test_inflating_changes_nothing_where_channels_are_equal(tmp_path, line):
    source = built(in_channels=2)
    network = built(in_channels=2)
    path = saved(tmp_path / "a.pt", copied(source))
    load.load_pretrained(network, path, inflate_input=True)
    assert not changed(network, copied(source)) and "repeated" not in line()


# evaluation and inference


def test_a_zoo_checkpoint_loads_whole(tmp_path, line):
    source, network = built(), built()
    for content in (copied(source), {"state_dict": copied(source)}, {"network": copied(source)}):
        path = saved(tmp_path / "a.pt", content)
        load.load_weights(network, path, HERE)
        assert not changed(network, copied(source))
        assert line() == (
            f"weights: 103 of 103 tensors from {path} (SwinUNETR; patch merging current, by the "
            "weights themselves (score -1.0, current up to 1); carries no spacing or intensity "
            "range)"
        )


def test_a_whole_network_of_another_layout_runs_too(tmp_path, line):
    source, network = built("legacy"), built()
    load.load_weights(network, saved(tmp_path / "a.pt", suprem(copied(source))))
    assert not changed(network, copied(source))
    assert "(SuPreM; " in (told := line()) and "left out: 5 of SuPreM's heads" in told


def test_state_of_a_network_leaves_the_network(tmp_path):
    source, network = built(), built()
    before = copied(network)
    state = load.network_state(saved(tmp_path / "a.pt", copied(source)), network)
    assert not changed(network, before) and state.keys() == before.keys()
    assert all(torch.equal(state[name], value) for name, value in copied(source).items())


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda state: {n: v for n, v in state.items() if n not in OUT}, "2 of 103 .* missing"),
        (lambda state: state | {"new": torch.ones(1)}, r"1 of 103 tensors unknown \(such as new\)"),
        (lambda state: state | {"out.conv.conv.bias": torch.ones(9)}, "1 of 103 .* another shape"),
        (lambda state: copied(built(out_channels=3)), "has classes 3, this network 14"),
        (lambda state: copied(built(in_channels=2)), "channels 2, this network 1; give the config"),
        (lambda state: encoder_of(state), "33 of 103 tensors missing"),
    ],
    ids=["missing", "unknown", "other shape", "classes", "channels", "encoder alone"],
)
def test_evaluation_refuses_all_but_an_exact_fit(refusal, tmp_path, other, words):
    network, path = built(), saved(tmp_path / "a.pt", other(copied(built())))
    before = copied(network)
    with refusal(f"^{re.escape(path)} .*{words}"):
        load.load_weights(network, path)
    assert not changed(network, before)


def test_missing_model_says_how_to_get_one(refusal, tmp_path):
    with refusal(r"model\.pt do not exist; train first \(configs/train\.json\)"):
        load.load_weights(built(), str(tmp_path / "model.pt"))


@pytest.mark.parametrize("pretrained", [None, ""])
def test_a_random_encoder_is_not_frozen_at_first(refusal, pretrained):
    network = built()
    with refusal("without --pretrained that one is random; give --pretrained, or --decoder_epochs"):
        load.load_pretrained(network, pretrained, decoder_first=True)
    load.load_pretrained(network, pretrained, decoder_first=False)


def test_a_server_is_not_told_that_it_trains_from_scratch(line, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/x/monailabel/main.py"])
    load.load_pretrained(built(), None)
    assert line().startswith("weights: those that the server loads, or else from scratch")
