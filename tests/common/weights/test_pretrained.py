"""Starts of trainings from a file: which tensors move, what is said, what is refused."""

import importlib
import re
import sys

import pytest
import torch
from weight_layouts import built, changed, copied, encoder_of, of_bundle, saved

from common.weights import pretrained
from common.weights.preprocessing_note import attach_metadata

HERE = {"spacing_mm": [1.5, 1.5, 2.0], "intensity_min": -175, "intensity_max": 250}
OUT = {"out.conv.conv.weight", "out.conv.conv.bias"}


# the way from pre-training to fine-tuning


@pytest.mark.parametrize("use_v2", [False, True])
def test_encoder_moves_bit_for_bit_and_nothing_else_changes(load_scripts, tmp_path, use_v2):
    load_scripts("pretrain_ssl")
    source = of_bundle("pretrain_ssl", use_v2=use_v2)
    checkpoint = saved(tmp_path / "best.pt", {"network": source.state_dict(), "trainer": {"a": 1}})
    importlib.import_module("scripts.export").export_encoder(
        checkpoint, str(tmp_path / "models/encoder.pt")
    )

    load_scripts("btcv_segmentation")
    network = of_bundle("btcv_segmentation", use_v2=use_v2)
    before, encoder = copied(network), encoder_of(copied(source))
    importlib.import_module("scripts.common.weights.pretrained").load_pretrained(
        network, str(tmp_path / "models/encoder.pt")
    )
    random = {n for n, value in encoder.items() if not torch.equal(before[n], value)}
    assert changed(network, before) == random and len(random) >= 34
    assert encoder.keys() == encoder_of(copied(network)).keys()
    assert all(torch.equal(network.state_dict()[name], encoder[name]) for name in encoder)


def test_pre_training_starts_from_an_encoder_or_from_its_own_network(load_scripts, tmp_path, line):
    load_scripts("pretrain_ssl")
    weights = importlib.import_module("scripts.common.weights.pretrained")
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


@pytest.mark.parametrize("change", [{"3": "stomach"}, {"1": "liver", "2": "spleen"}])
def test_other_labels_keep_all_but_the_last_layer(tmp_path, line, change):
    """Of as many classes: a channel of the liver is no start for one of the stomach."""
    labels = {"0": "background", "1": "spleen", "2": "liver", "3": "aorta"}
    source, network = built(out_channels=4), built(out_channels=4)
    attach_metadata(source, HERE | {"task": "Theirs", "labels": labels})
    before, given = copied(network), copied(source)
    path = saved(tmp_path / "model.pt", source.state_dict())
    pretrained.load_pretrained(network, path, HERE | {"task": "Ours", "labels": labels | change})
    arrived = copied(network)
    assert all(torch.equal(arrived[name], before[name]) for name in OUT)
    assert all(torch.equal(arrived[name], given[name]) for name in given.keys() - OUT)
    assert "decoder 31 of 33 from" in (told := line())
    assert (
        "; left out: 2 of the output layer, trained for Theirs (spleen, liver, aorta), and" in told
    )
    assert f"this run is for Ours ({', '.join(list((labels | change).values())[1:])})" in told


@pytest.mark.parametrize("of_run", [{"task": "Ours"}, {}], ids=["labels agree", "no labels"])
def test_the_last_layer_is_kept_where_labels_agree_or_are_not_known(tmp_path, line, of_run):
    labels = {"labels": {"0": "background", "1": "spleen", "2": "liver", "3": "aorta"}}
    source, network = built(out_channels=4), built(out_channels=4)
    attach_metadata(source, HERE | labels | {"task": "Theirs"})
    path = saved(tmp_path / "model.pt", source.state_dict())
    pretrained.load_pretrained(network, path, HERE | (labels if of_run else {}) | of_run)
    assert not changed(network, copied(source)) and "left out" not in line()


def test_other_number_of_classes_keeps_all_but_the_last_layer(tmp_path, line):
    source, network = built(out_channels=14), built(out_channels=3)
    before, given = copied(network), copied(source)
    pretrained.load_pretrained(network, saved(tmp_path / "model.pt", given))
    arrived = copied(network)
    assert all(torch.equal(arrived[n], before[n] if n in OUT else given[n]) for n in before)
    assert line().endswith("; left out: 2 of the output layer (classes: 14, here 3)")


# the one line


@pytest.mark.parametrize("nothing", [None, ""])
def test_from_scratch_changes_nothing_and_says_so(line, nothing, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/x/monai/bundle/__main__.py", "run"])
    network = built()
    before = copied(network)
    pretrained.load_pretrained(network, nothing)
    assert not changed(network, before) and line().startswith("weights: from scratch")


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_random_encoder_is_not_frozen_at_first(refusal, nothing):
    network = built()
    with refusal("without --pretrained that one is random; give --pretrained, or --decoder_epochs"):
        pretrained.load_pretrained(network, nothing, decoder_first=True)
    pretrained.load_pretrained(network, nothing, decoder_first=False)


def test_a_server_is_not_told_that_it_trains_from_scratch(line, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/x/monailabel/main.py"])
    pretrained.load_pretrained(built(), None)
    assert line().startswith("weights: those that the server loads, or else from scratch")


def test_the_report_as_documented(tmp_path, line):
    path = saved(tmp_path / "encoder.pt", encoder_of(copied(built())))
    pretrained.load_pretrained(built(), path, HERE)
    assert line() == (
        f"weights: encoder 70 of 70 tensors from {path} (SwinUNETR; patch merging current, by the "
        "weights themselves (score -1.0, current up to 1); carries no spacing or intensity range); "
        "decoder from scratch"
    )
    unknown = copied(built()) | {"student.weight": torch.ones(1)}
    pretrained.load_pretrained(built(), path := saved(tmp_path / "a.pt", unknown))
    assert line().endswith("; left out: 1 unknown (such as student.weight)")


# what is not this network's encoder


def test_the_pre_trainings_own_flags_are_named(refusal, load_scripts, tmp_path):
    load_scripts("pretrain_ssl")
    network, path = of_bundle("pretrain_ssl"), saved(tmp_path / "a.pt", refused_state("heads"))
    with refusal("give --network_def::encoder::num_heads"):
        pretrained.load_pretrained(network, path)
    path = saved(tmp_path / "b.pt", refused_state("feature size"))
    with refusal("give --network_def::encoder::embed_dim 24, or other weights"):
        pretrained.load_pretrained(network, path)


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
        pretrained.load_pretrained(network, path)
    assert not changed(network, before)


def test_v1_encoder_in_a_v2_network_is_refused(refusal, tmp_path):
    path = saved(tmp_path / "a.pt", copied(built()))
    with refusal("without use_v2, and this one is with use_v2; give --network_def::use_v2 False"):
        pretrained.load_pretrained(built(use_v2=True), path)


def test_no_encoder_by_any_name_is_refused(refusal, tmp_path):
    path = saved(tmp_path / "a.pt", {"backbone.layer1.0.weight": torch.ones(1)})
    with refusal(r"a\.pt has no encoder of a Swin UNETR.* first tensor is backbone\.layer1\.0"):
        pretrained.load_pretrained(built(), path)


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
    pretrained.load_pretrained(built(), path, allow_partial=True)
    assert counts in line()


def test_another_feature_size_is_no_part(refusal, tmp_path):
    path = saved(tmp_path / "a.pt", refused_state("feature size"))
    with refusal("has feature size 24, this network 12"):
        pretrained.load_pretrained(built(), path, allow_partial=True)


def test_nothing_that_fits_is_no_part_either(refusal, tmp_path):
    path = saved(tmp_path / "a.pt", {"swinViT.new": torch.ones(1)})
    with refusal("has no tensor that fits this network's encoder"):
        pretrained.load_pretrained(built(), path, allow_partial=True)


# more input channels


def test_one_channel_becomes_several_only_when_asked(refusal, tmp_path, line):
    source, network = built(), built(in_channels=4)
    path, before = saved(tmp_path / "a.pt", copied(source)), copied(network)
    with refusal("has input channels 1, this network 4; --inflate_input True repeats"):
        pretrained.load_pretrained(network, path)
    assert not changed(network, before)
    pretrained.load_pretrained(network, path, inflate_input=True)
    assert "the one input channel repeated" in line()
    image = torch.rand(1, 1, 64, 32, 32)
    with torch.no_grad():
        assert torch.allclose(network(image.expand(-1, 4, -1, -1, -1)), source(image), atol=1e-4)


def test_inflating_changes_nothing_where_channels_are_equal(tmp_path, line):
    source = built(in_channels=2)
    network = built(in_channels=2)
    path = saved(tmp_path / "a.pt", copied(source))
    pretrained.load_pretrained(network, path, inflate_input=True)
    assert not changed(network, copied(source)) and "repeated" not in line()
