"""Whole networks for evaluation and inference: every tensor of a file, or a refusal."""

import importlib
import re

import pytest
import torch
from weight_layouts import built, changed, copied, encoder_of, of_bundle, saved, suprem

from common.weights import load

HERE = {"spacing_mm": [1.5, 1.5, 2.0], "intensity_min": -175, "intensity_max": 250}
OUT = {"out.conv.conv.weight", "out.conv.conv.bias"}


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


def test_other_heads_of_pre_training_are_not_loaded_in_silence(load_scripts, tmp_path):
    load_scripts("pretrain_ssl")
    network = of_bundle("pretrain_ssl")
    state = copied(network) | {"rotation_head.new.weight": torch.ones(1)}
    with pytest.raises(
        importlib.import_module("scripts.common.errors").InputError, match="1 of .* tensors unknown"
    ):
        importlib.import_module("scripts.common.weights.load").load_weights(
            network, saved(tmp_path / "a.pt", state)
        )


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
