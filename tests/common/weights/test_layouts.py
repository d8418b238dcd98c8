"""Every layout of public checkpoint, made from a random network: each tensor arrives."""

import logging
from collections import OrderedDict

import pytest
import torch
from monai.networks.nets.swin_unetr import filter_swinunetr
from monai.networks.utils import copy_model_state
from weight_layouts import (
    LAYOUTS,
    OF_LEGACY,
    WITH_V2,
    built,
    copied,
    disruptive_autoencoders,
    encoder_of,
    official,
    renamed,
    saved,
    suprem,
)

from common.weights import layouts, load, pretrained

CASES = [(name, {}) for name in LAYOUTS] + [(name, {"use_v2": True}) for name in WITH_V2]
CASES += [(name, {"depths": [2, 2, 2, 2]}) for name in ("model_swinvit", "disruptive autoencoders")]
CASES += [("SuPreM", {"depths": [2, 2, 2, 2]}), ("VoCo", {"depths": [2, 2, 2, 2], "use_v2": True})]


def merging_in(kind: str) -> str:
    """The patch merging that files of this layout were trained with."""
    return "legacy" if kind in OF_LEGACY else "current"


@pytest.mark.parametrize(("kind", "changes"), CASES, ids=lambda value: str(value))
def test_every_tensor_arrives_and_is_counted(tmp_path, caplog, kind, changes):
    caplog.set_level(logging.INFO)
    name, has_decoder, left_out, make = (LAYOUTS | WITH_V2)[kind]
    source, network = built(merging_in(kind), **changes), built(**changes)
    given, before = copied(source), copied(network)
    pretrained.load_pretrained(network, saved(tmp_path / "a.pt", make(given)))
    arrived, encoder = copied(network), encoder_of(given)
    is_other_class = kind == "disruptive autoencoders"
    for tensor in arrived:
        came = tensor in encoder or (has_decoder and not (is_other_class and tensor[:4] == "out."))
        expected = given[tensor] if came else before[tensor]
        assert torch.equal(arrived[tensor], expected), tensor
    (line,) = caplog.messages
    assert f"encoder {len(encoder)} of {len(encoder)} tensors" in line and f" ({name}; " in line
    decoder = len(given) - len(encoder)
    taken = decoder - 2 if is_other_class else decoder
    assert (f"decoder {taken} of {decoder}" in line) == has_decoder
    assert ("decoder from scratch" in line) != has_decoder
    counts = line.partition("left out: ")[2].split(", ") if left_out else []
    assert sum(int(words.split()[0]) for words in counts if words[0].isdigit()) == left_out


@pytest.mark.parametrize("depths", [[1, 1, 1, 1], [2, 2, 2, 2]])
def test_disruptive_autoencoders_are_read_as_by_monai(tmp_path, depths):
    content = disruptive_autoencoders(copied(built("legacy", depths=depths)))
    network = built(depths=depths)
    theirs, *_ = copy_model_state(
        network, content["model"], filter_func=filter_swinunetr, inplace=False
    )
    pretrained.load_pretrained(network, saved(tmp_path / "a.pt", content))
    assert theirs.keys() == network.state_dict().keys()
    assert all(torch.equal(network.state_dict()[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("linear", ["linear", "fc"])
def test_both_names_of_the_mlp_are_known_in_every_layout(tmp_path, linear):
    source, network = built("legacy"), built()
    for make in (disruptive_autoencoders, official("swinViT."), suprem):
        content = make(copied(source))
        key, state = next((k, v) for k, v in content.items() if isinstance(v, dict))
        older = {key: renamed(state, lambda n: n.replace(".mlp.linear", f".mlp.{linear}"))}
        pretrained.load_pretrained(network, saved(tmp_path / "a.pt", older))
        encoder = encoder_of(copied(source))
        assert all(torch.equal(network.state_dict()[name], encoder[name]) for name in encoder)


def test_position_indices_may_be_absent(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    state = copied(built())
    lacking = {n: v for n, v in state.items() if not n.endswith("relative_position_index")}
    network = built()
    load.load_weights(network, saved(tmp_path / "a.pt", lacking))
    assert all(torch.equal(network.state_dict()[name], state[name]) for name in state)
    pretrained.load_pretrained(network, saved(tmp_path / "a.pt", lacking))
    assert "encoder 70 of 70 tensors" in caplog.text


def test_window_of_the_same_size_but_other_axes_is_refused(refusal, tmp_path):
    path = saved(tmp_path / "a.pt", copied(built(window_size=[2, 4, 8])))
    pretrained.load_pretrained(built(window_size=[2, 4, 8]), path)
    network = built(window_size=[4, 2, 8])
    with refusal('has window size 2,4,8, this network 4,2,8; give .*window_size "\\[2,4,8\\]"'):
        pretrained.load_pretrained(network, path)
    with refusal("positions in a window in another order"):
        pretrained.load_pretrained(network, path, allow_partial=True)


def test_positions_of_a_window_in_another_order_are_refused(refusal, tmp_path):
    state = copied(built())
    for name in state:
        if name.endswith("relative_position_index"):
            state[name] = state[name].flip(1)
    with refusal("positions in a window in another order"):
        pretrained.load_pretrained(built(), saved(tmp_path / "a.pt", state))


def test_a_file_of_two_networks_is_refused(refusal, tmp_path):
    state = encoder_of(copied(built()))
    both = OrderedDict(state) | renamed(state, lambda name: "module." + name)
    with refusal(r"a\.pt has 140 tensors, but only 70 different names"):
        layouts.read_weights(saved(tmp_path / "a.pt", both), "")
