"""The patch merging of weights: told by note, names, hash or themselves, and followed."""

import hashlib
import logging
from functools import partial

import pytest
import torch
from helpers import BUNDLES
from monai.networks.nets.swin_unetr import SwinTransformer
from torch import nn
from torch.nn.functional import adaptive_avg_pool3d, adaptive_max_pool3d, interpolate, mse_loss
from weight_layouts import (
    LAYOUTS,
    OF_LEGACY,
    SMALL,
    WITH_V2,
    built,
    copied,
    encoder_of,
    model_swinvit,
    renamed,
    saved,
    smit,
)

from common.inference import ensemble, sliding_window
from common.network import fast_attention, patch_merging
from common.weights import commands, find_merging, layouts, load, preprocessing_note, pretrained

CT = {"spacing_mm": [1.5, 1.5, 2.0], "intensity_min": -175, "intensity_max": 250}
OTHER = {"current": "legacy", "legacy": "current"}


@pytest.fixture
def found(tmp_path):
    """`found(content)`: the evidence of a file with this content, as inspect prints it."""

    def tell(content: object) -> str:
        return str(layouts.read_weights(saved(tmp_path / "a.pt", content), "").evidence)

    return tell


def untrained() -> nn.Module:
    network = built()
    for module in network.modules():
        if hasattr(module, "reduction"):
            module.reduction.reset_parameters()
    return network


# what tells


@pytest.mark.parametrize("kind", [*LAYOUTS, *WITH_V2])
@pytest.mark.parametrize("merging", OTHER)
def test_each_public_layout(found, kind, merging):
    """Names tell of three; of the others the weights do, whichever they were trained with."""
    *_, make = (LAYOUTS | WITH_V2)[kind]
    told = found(make(copied(built(merging, use_v2=kind in WITH_V2))))
    if kind not in OF_LEGACY:
        assert told.startswith(f"{merging}, by the weights themselves (score ")
    elif merging == "legacy":
        assert told == "legacy, by its layout"
    else:
        assert told.startswith("legacy, by its layout, but current by the weights themselves (")


def test_a_bare_encoder_by_todays_names_is_not_taken_for_the_authors(found):
    """MONAI's own SwinTransformer, saved by itself, may be of any version."""
    bare = renamed(encoder_of(copied(built())), lambda name: name.removeprefix("swinViT."))
    assert found(bare).startswith("current, by the weights themselves")
    old = renamed(bare, lambda name: name.replace("mlp.linear", "mlp.fc"))
    assert found(old).startswith("legacy, by its layout, but current")


def test_smit_is_turned_into_the_current_order(tmp_path):
    state = copied(built())
    for prefix in ("", "module.", "module.transformer."):
        content = renamed(smit(state), lambda name, prefix=prefix: prefix + name)
        weights = layouts.read_weights(saved(tmp_path / "a.pt", content), "")
        assert weights.layout == "SMIT" and str(weights.evidence) == "current, by its layout"
        encoder = encoder_of(state)
        assert all(torch.equal(weights.tensors[name], encoder[name]) for name in encoder)


def test_a_network_of_smits_kind_takes_all_of_its_encoder(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    options = {"qkv_bias": False, "patch_norm": True, "num_heads": [3, 3, 3, 3]}
    source, network = (built(depths=[1, 1, 2, 1], **options) for _ in range(2))
    pretrained.load_pretrained(network, saved(tmp_path / "a.pt", smit(copied(source))))
    encoder = encoder_of(copied(source))
    assert all(torch.equal(network.state_dict()[name], encoder[name]) for name in encoder)
    count = f"encoder {len(encoder)} of {len(encoder)} tensors from"
    assert count in caplog.messages[-1]
    words = "; left out: 4 of the stages' norms, which SwinUNETR does not learn"
    assert "(SMIT; patch merging current, by its layout; " in caplog.messages[-1]
    assert caplog.messages[-1].endswith(words)


def test_the_note_tells_and_its_lack_beside_a_spacing_is_of_before(found):
    network = built("legacy")
    patch_merging.set_merging(network, "legacy")
    assert found(network.state_dict()) == "legacy, by its note"
    preprocessing_note.attach_metadata(network, CT)
    state = network.state_dict()
    assert found({"network": state}) == "legacy, by its note"
    state._metadata = {"trained_with": CT}  # as before there was a note of the merging
    assert found(state) == "current, as all of this project from before it was noted"


def test_a_note_of_a_merging_that_is_not_known_is_refused(refusal, found):
    network = of_knob("auto")
    state = network.state_dict()
    for value in state._metadata.values():
        value["merging"] = "mergingv9"
    with refusal(r"a\.pt says patch merging mergingv9, which is not known here"):
        found(state)
    with pytest.raises(RuntimeError, match="say patch merging mergingv9, which is not known here"):
        network.load_state_dict(state)
    assert patch_merging.merging_of(network) == "current"


@pytest.mark.parametrize("damaged", [torch.ones(()), torch.ones(9), torch.ones(0, 0)])
def test_a_damaged_merging_is_refused_in_a_sentence(refusal, tmp_path, damaged):
    name = "swinViT.layers1.0.downsample.reduction.weight"
    state = copied(built()) | {name: damaged}
    for content in (state, smit(copied(built())) | {"layers.0.downsample.norm.weight": damaged}):
        with refusal(r"a\.pt does not .*: 1 of \d+ tensors of another shape|tensors missing"):
            network = of_knob("current")
            pretrained.load_pretrained(network, saved(tmp_path / "a.pt", content))


def test_a_known_file_is_told_by_its_hash(found, tmp_path, monkeypatch):
    assert found(copied(untrained())).startswith("unknown: its names do not tell")
    digest = hashlib.md5((tmp_path / "a.pt").read_bytes()).hexdigest()
    monkeypatch.setitem(find_merging.KNOWN_FILES, digest, "legacy")
    weights = layouts.read_weights(str(tmp_path / "a.pt"), "")
    assert str(weights.evidence) == "legacy, by its hash"
    (listed,) = find_merging.KNOWN_FILES.keys() - {digest}
    large_files = BUNDLES / "btcv_segmentation/large_files.yml"
    assert listed in large_files.read_text()


def test_weights_without_patch_merging_tell_nothing(found):
    rest = {n: v for n, v in copied(built()).items() if "downsample" not in n}
    assert found(rest) == "unknown: its names do not tell, and it holds no patch merging"


# the weights themselves


def trained(merging: str, seed: int, steps: int) -> dict[str, torch.Tensor]:
    """An encoder after a short training: what its stages give has mean and maximum of a block."""
    torch.manual_seed(seed)
    options = {name: SMALL[name] for name in ("depths", "num_heads", "window_size")}
    downsample = partial(patch_merging.PatchMerging, merging=merging)
    encoder = SwinTransformer(1, 12, patch_size=(2, 2, 2), downsample=downsample, **options)
    fast_attention.accelerate(encoder)
    heads = nn.ModuleList([nn.Conv3d(12 * 2**stage, 1, 1) for stage in range(1, 5)])
    optimizer = torch.optim.AdamW([*encoder.parameters(), *heads.parameters()], lr=3e-3)
    size = (64, 32, 32)
    for _ in range(steps):
        coarse = [torch.randn(1, 1, *(n // by for n in size)) for by in (2, 4, 8, 16)]
        image = sum(interpolate(part, size=size, mode="trilinear") for part in coarse)
        loss = 0
        for head, features in zip(heads, encoder(image)[1:]):
            blocks = features.shape[2:]
            wanted = adaptive_avg_pool3d(image, blocks) + adaptive_max_pool3d(image, blocks)
            loss = loss + mse_loss(head(features), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {f"swinViT.{name}": value for name, value in encoder.state_dict().items()}


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_short_training_is_enough_to_tell(seed):
    """Same start, same images: only what the merging does differs."""
    legacy, current = (trained(merging, seed, steps=20) for merging in ("legacy", "current"))
    assert find_merging.merging_of_weights(legacy).merging == "legacy"
    assert find_merging.merging_of_weights(current).merging != "legacy"
    assert find_merging.merging_score(legacy)[0] > find_merging.merging_score(current)[0] + 2


@pytest.mark.parametrize("feature_size", [12, 24, 48])
def test_an_untrained_network_tells_nothing(feature_size):
    for seed in range(40 if feature_size < 48 else 3):
        torch.manual_seed(seed)
        state = {
            f"swinViT.layers{stage}.0.downsample.reduction.weight": nn.Linear(
                8 * c, 2 * c
            ).weight.detach()
            for stage, c in enumerate((feature_size * 2**stage for stage in range(4)), start=1)
        }
        assert find_merging.merging_of_weights(state).merging is None, seed


# what follows from it


@pytest.mark.parametrize("merging", OTHER)
def test_auto_follows_the_weights_and_says_so(tmp_path, caplog, merging):
    caplog.set_level(logging.INFO)
    path = saved(tmp_path / "a.pt", copied(built(merging)))
    for take in (load.load_weights, pretrained.load_pretrained):
        network = built(OTHER[merging])
        take(network, path)
        assert patch_merging.merging_of(network) == merging
        assert f"; patch merging {merging}, by the weights themselves (" in caplog.messages[-1]


def test_from_scratch_is_current_or_as_told(caplog):
    caplog.set_level(logging.INFO)
    for told in ("auto", "legacy", "current"):
        network = of_knob(told)
        pretrained.load_pretrained(network, None)
        merging = "current" if told == "auto" else told
        assert patch_merging.merging_of(network) == merging
        assert f"from scratch, patch merging {merging}" in caplog.messages[-1]


def of_knob(merging: str) -> nn.Module:
    return built(downsample=partial(patch_merging.PatchMerging, merging=merging))


@pytest.mark.parametrize("merging", OTHER)
@pytest.mark.parametrize("take", [load.load_weights, pretrained.load_pretrained])
def test_a_merging_that_contradicts_the_weights_is_refused_unless_insisted_on(
    refusal, tmp_path, caplog, merging, take
):
    caplog.set_level(logging.INFO)
    asked = OTHER[merging]
    path, network = saved(tmp_path / "a.pt", copied(built(merging))), of_knob(asked)
    before = copied(network)
    with refusal(
        rf"a\.pt was trained with patch merging {merging} \(by the .*--merging says {asked}"
    ):
        take(network, path)
    assert all(torch.equal(before[n], value) for n, value in network.state_dict().items())
    take(network, path, allow_other_merging=True)
    assert patch_merging.merging_of(network) == asked
    words = f"patch merging {asked}, ALTHOUGH TRAINED WITH {merging} (by the weights themselves"
    assert words in caplog.messages[-1]


def test_a_training_under_the_other_merging_says_what_it_began_with(tmp_path, found):
    """And its weights, which still look like those of before, are not doubted afterwards."""
    path = saved(tmp_path / "a.pt", copied(built("legacy")))
    note = {"merging": "current", "started_from_merging": "legacy"}
    for _ in range(2):  # a second training from the first one's weights keeps it
        network = of_knob("current")
        pretrained.load_pretrained(network, path, CT, allow_other_merging=True)
        preprocessing_note.attach_metadata(network, CT)
        state = network.state_dict()
        assert preprocessing_note.read_metadata(state) == CT | note
        assert found(state) == "current, by its note"
        path = saved(tmp_path / "b.pt", state)


def test_what_weights_began_with_outlives_a_loader_that_is_not_ours():
    """As MONAI Label trains: our start from scratch, then its handler loads `model.pt`."""
    note = {"merging": "current", "started_from_merging": "legacy"}
    before = of_knob("auto")
    preprocessing_note.attach_metadata(before, CT | {"started_from_merging": "legacy"})
    network = of_knob("auto")
    pretrained.load_pretrained(network, None)
    preprocessing_note.attach_metadata(network, CT)
    network.load_state_dict(before.state_dict())
    assert preprocessing_note.read_metadata(network.state_dict()) == CT | note


def test_what_nothing_tells_runs_only_as_told(refusal, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = saved(tmp_path / "a.pt", copied(untrained()))
    for take in (load.load_weights, pretrained.load_pretrained):
        with refusal("does not tell its patch merging .*--merging legacy .*--merging current"):
            take(of_knob("auto"), path)
        for told in OTHER:
            take(network := of_knob(told), path)
            assert patch_merging.merging_of(network) == told
            assert f"; patch merging {told}, as --merging says; " in caplog.messages[-1]


def test_a_network_of_another_merging_is_said_not_to_be_compared(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = saved(tmp_path / "a.pt", copied(built("legacy")))
    load.load_weights(built(downsample="mergingv2"), path)
    assert "; patch merging not compared, as this network has another kind or" in caplog.text


def test_weights_that_contradict_their_layout_stop_the_run(refusal, tmp_path):
    path = saved(tmp_path / "a.pt", model_swinvit(copied(built("current"))))
    take, merging_of = pretrained.load_pretrained, patch_merging.merging_of
    with refusal("has patch merging legacy by its layout, but current by the weights themselves"):
        take(of_knob("auto"), path)
    take(network := of_knob("legacy"), path)
    assert merging_of(network) == "legacy"
    with refusal("was trained with patch merging legacy"):
        take(of_knob("current"), path)
    take(network := of_knob("current"), path, allow_other_merging=True)
    assert merging_of(network) == "current"


def test_an_ensemble_of_both_kinds_is_refused(refusal, tmp_path):
    inferer = ensemble.EnsembleInferer(sliding_window.BodyWindowInferer((64, 64, 32)))
    paths = [saved(tmp_path / f"{kind}.pt", copied(built(kind))) for kind in OTHER]
    network = of_knob("auto")
    with refusal(r"current\.pt was trained with patch merging current, .*legacy\.pt with legacy"):
        inferer.load(network, paths)
    inferer.load(network, [paths[1], paths[1]])
    image = torch.rand(1, 1, 64, 64, 32)
    inferer(image, network.eval())
    assert patch_merging.merging_of(network) == "legacy"


@pytest.mark.parametrize("merging", OTHER)
def test_convert_writes_it_beside_the_weights(refusal, tmp_path, merging):
    convert = commands.convert
    path, out = saved(tmp_path / "a.pt", copied(built(merging))), str(tmp_path / "b.pt")
    assert f"patch merging {merging}, by the weights themselves" in convert(path, out)
    served = of_knob("auto")
    served.load_state_dict(torch.load(out, weights_only=True))
    assert patch_merging.merging_of(served) == merging
    with refusal("was trained with patch merging"):
        convert(path, out, OTHER[merging])
    unknown = saved(tmp_path / "c.pt", copied(untrained()))
    with refusal("does not tell its patch merging"):
        convert(unknown, out)
    assert f"patch merging {merging}, as --merging says" in convert(unknown, out, merging)
    served.load_state_dict(torch.load(out, weights_only=True))
    assert patch_merging.merging_of(served) == merging


def test_convert_turns_mergingv2_into_the_current_order(tmp_path):
    source = built(downsample="mergingv2").eval()
    path, out = saved(tmp_path / "a.pt", copied(source)), str(tmp_path / "b.pt")
    commands.convert(path, out, "mergingv2")
    network = of_knob("auto").eval()
    network.load_state_dict(torch.load(out, weights_only=True))
    image = torch.rand(1, 1, 64, 64, 32)
    with torch.no_grad():
        torch.testing.assert_close(network(image), source(image), rtol=1e-4, atol=1e-5)
