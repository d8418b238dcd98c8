"""Both patch mergings against MONAI's class and a plain one written here, and who decides which."""

import copy
import importlib
import json
import sys
from functools import partial

import pytest
import torch
from bundle_runs import copy_bundle
from helpers import write_json
from monai.bundle import load
from monai.networks.nets import SwinUNETR, swin_unetr
from monai.networks.utils import copy_model_state
from torch import nn
from weight_layouts import PLACES, SMALL, copied, look_trained

from common.network import patch_merging, slice_order

KINDS = ["current", "legacy"]
IMAGE = (1, 1, 64, 64, 32)


class PlainMerging(swin_unetr.PatchMergingV2):
    """Merges tokens block by block, by MONAI's places of a version; a test's own code."""

    places = PLACES["legacy"]

    def forward(self, x):
        batch, channels = x.shape[0], x.shape[-1]
        size = [-(-n // 2) for n in x.shape[1:-1]]
        merged = x.new_zeros(batch, *size, 8 * channels)
        for number, place in enumerate(self.places):
            i, j, k = map(int, place)
            part = x[:, i::2, j::2, k::2]  # shorter than the others where the size is odd
            a, b, c = part.shape[1:-1]
            merged[:, :a, :b, :c, number * channels : (number + 1) * channels] = part
        return self.reduction(self.norm(merged))


def network(downsample="merging", seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return SwinUNETR(**SMALL, downsample=downsample).eval()


def output(net: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return net(torch.rand(IMAGE, generator=torch.Generator().manual_seed(1)))


# what is computed


@pytest.mark.parametrize("size", [(4, 4, 4), (5, 4, 3), (2, 3, 7), (1, 1, 1)])
def test_a_block_of_tokens_is_merged_as_by_the_slices(size):
    for plain, ours in [
        (PlainMerging(6), patch_merging.LegacyPatchMerging(6)),
        (PlainMerging(6), patch_merging.PatchMerging(6, merging="legacy")),
        (swin_unetr.PatchMerging(6), patch_merging.PatchMerging(6, merging="current")),
        (swin_unetr.PatchMerging(6), patch_merging.PatchMerging(6)),
    ]:
        ours.reduction, ours.norm = plain.reduction, plain.norm
        tokens = torch.rand(2, *size, 6)
        assert torch.equal(ours(tokens), plain(tokens))


def test_in_2d_nothing_has_changed():
    plain, tokens = swin_unetr.PatchMerging(6, spatial_dims=2), torch.rand(2, 5, 4, 6)
    for kind in KINDS:
        ours = patch_merging.PatchMerging(6, spatial_dims=2, merging=kind)
        ours.reduction, ours.norm = plain.reduction, plain.norm
        assert torch.equal(ours(tokens), plain(tokens))


def test_a_network_of_each_kind_equals_one_of_plain_classes_and_they_differ():
    plain = {"current": network(), "legacy": network(PlainMerging)}
    outputs = {}
    for kind in KINDS:
        ours = network(patch_merging.PatchMerging)
        patch_merging.set_merging(ours, kind)
        assert patch_merging.merging_of(ours) == kind
        outputs[kind] = output(ours)
        assert torch.equal(outputs[kind], output(plain[kind]))
        patch_merging.set_merging(plain["current"], kind)  # MONAI's own class is turned into ours
        assert torch.equal(output(plain["current"]), outputs[kind])
        patch_merging.set_merging(plain["current"], "current")
    difference = (outputs["legacy"] - outputs["current"]).norm() / outputs["current"].norm()
    assert difference > 0.01


@pytest.mark.parametrize("order", ["SMIT", "MERGINGV2"])
def test_another_order_of_the_same_places_is_a_permutation(order):
    places = getattr(slice_order, order)
    in_this_order = type("InThisOrder", (PlainMerging,), {"places": places})
    theirs = network("mergingv2" if order == "MERGINGV2" else in_this_order).double()
    ours = network().double()
    ours.load_state_dict(slice_order.in_current_order(copied(theirs), places))
    image = torch.rand(IMAGE, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), theirs(image), rtol=1e-9, atol=1e-9)


# who decides


def test_a_state_dict_says_its_kind_and_a_network_follows_it(tmp_path):
    for kind in [*KINDS, "current"]:
        source = network(patch_merging.PatchMerging)
        patch_merging.set_merging(source, kind)
        torch.save({"network": source.state_dict()}, tmp_path / "model.pt")
        state = torch.load(tmp_path / "model.pt", weights_only=True)["network"]
        target = copy.deepcopy(network(patch_merging.PatchMerging, seed=1))
        target.load_state_dict(state)
        assert patch_merging.merging_of(target) == kind
        assert torch.equal(output(target), output(source))
        target.swinViT.load_state_dict(source.swinViT.state_dict())  # a part of it does, too


def test_a_server_that_knows_the_network_and_the_file_alone(tmp_path):
    """As MONAI Label 0.8.5 loads: `network_def` once, a copy of it for each new `model.pt`."""
    of_config = network(patch_merging.PatchMerging, seed=1)
    for kind in ["legacy", "current", "legacy"]:
        trained = network(patch_merging.PatchMerging)
        patch_merging.set_merging(trained, kind)
        torch.save(trained.state_dict(), tmp_path / "model.pt")
        served = copy.deepcopy(of_config)
        checkpoint = torch.load(tmp_path / "model.pt", map_location=torch.device("cpu"))
        served.load_state_dict(checkpoint.get("model", checkpoint), strict=False)
        assert torch.equal(output(served), output(trained))


def test_weights_that_say_nothing_are_not_run_by_a_guess(tmp_path):
    undecided = network(patch_merging.PatchMerging)
    says_nothing = copied(network())
    for strict in (True, False):
        with pytest.raises(RuntimeError, match="do not say with which of MONAI's two patch merg"):
            undecided.load_state_dict(says_nothing, strict=strict)
    with pytest.raises(RuntimeError, match="-m scripts weights convert"):
        copy_model_state(undecided, says_nothing)
    # nor by what the network ran before: a server's training sets that before it loads a file
    patch_merging.set_merging(undecided, "current")
    with pytest.raises(RuntimeError, match="do not say with which"):
        undecided.load_state_dict(says_nothing)
    for kind in KINDS:
        told = network(partial(patch_merging.PatchMerging, merging=kind))
        told.load_state_dict(says_nothing)
        assert patch_merging.merging_of(told) == kind
    without = {name: value for name, value in says_nothing.items() if "downsample" not in name}
    network(patch_merging.PatchMerging).load_state_dict(without, strict=False)


@pytest.mark.parametrize(("kind", "other"), [KINDS, KINDS[::-1]])
def test_a_config_that_contradicts_the_weights_is_refused(kind, other):
    source = network(patch_merging.PatchMerging)
    patch_merging.set_merging(source, other)
    told = network(partial(patch_merging.PatchMerging, merging=kind))
    words = f'trained with patch merging {other}.*"merging": "{kind}"'
    with pytest.raises(RuntimeError, match=words):
        told.load_state_dict(source.state_dict())


def test_an_unknown_kind_is_refused(refusal):
    with refusal("--merging old is unknown; give auto, current or legacy"):
        patch_merging.PatchMerging(6, merging="old")
    with refusal("--merging old is unknown"):
        patch_merging.set_merging(network(), "old")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:parsing config_file")
def test_monais_load_runs_the_deployed_weights_as_they_were_trained(kind, tmp_path):
    """`monai.bundle.load` hands over tensors without what lies beside them."""
    folder = copy_bundle("btcv_segmentation", tmp_path)
    small = {"use_checkpoint": False} | {k: v for k, v in SMALL.items() if k != "in_channels"}
    for name in ("train", "inference"):
        content = json.loads((folder / f"configs/{name}.json").read_text())
        content["network_def"] |= small
        write_json(folder / f"configs/{name}.json", content)
    sys.path.insert(0, str(folder))
    merging = importlib.import_module("scripts.common.network.patch_merging")
    trained = look_trained(network(merging.PatchMerging), kind)
    merging.set_merging(trained, kind)
    (folder / "models").mkdir()
    torch.save(trained.state_dict(), folder / "models/model.pt")
    for workflow in ("train", "inference"):
        loaded = load("btcv_segmentation", bundle_dir=tmp_path, workflow_type=workflow).eval()
        assert merging.merging_of(loaded) == kind
        assert torch.equal(output(loaded), output(trained))
    torch.save(copied(network(seed=2)), folder / "models/other.pt")
    with pytest.raises(RuntimeError, match="do not say with which"):
        load("btcv_segmentation", bundle_dir=tmp_path, model_file="models/other.pt")
