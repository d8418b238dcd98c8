"""Hidden units, and that nothing of them reaches a prediction, a gradient or a metric."""

import importlib
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import import_scripts
from monai.data import MetaTensor
from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor, nn
from two_processes import in_two_processes

SHAPE = (32, 64, 32)
UNIT = (16, 16, 16)
UNITS = 16


@pytest.fixture
def masked(scripts) -> ModuleType:
    """`scripts.objectives.masked`."""
    return importlib.import_module("scripts.objectives.masked")


def built(masked: ModuleType, skips: bool) -> nn.Module:
    encoder = SwinTransformer(1, 12, [4, 4, 4], [2, 2, 2], [1, 1, 1, 1], [3, 6, 12, 24])
    return masked.build_network(encoder, skips)


def batch(count: int = 2, epoch: int = 0) -> dict:
    draws = torch.tensor([[epoch, index, 0] for index in range(count)])
    return {"image": MetaTensor(torch.rand(count, 1, *SHAPE)), "draw": draws}


@pytest.mark.parametrize(("ratio", "count"), [(0.7, 21), (0.71, 22), (0, 0), (0.001, 1)])
def test_the_share_of_units_is_rounded_up(masked, ratio, count):
    draws = [masked.units.draw_units(np.random.default_rng(i), (5, 3, 2), ratio) for i in range(9)]
    assert all(drawn.shape == (5, 3, 2) and drawn.sum() == count for drawn in draws)
    assert count in (0, 30) or len({drawn.tobytes() for drawn in draws}) > 1


def test_a_range_of_shares_is_drawn_for_each_crop(masked):
    rngs = map(np.random.default_rng, range(200))
    counts = [masked.units.draw_units(rng, (10, 10), [0.6, 0.9]).sum() for rng in rngs]
    assert 60 <= min(counts) < 65 and 85 < max(counts) <= 90


def test_hidden_voxels_are_whole_units_in_their_places(masked):
    units = torch.zeros(2, 3, 2, 1, dtype=torch.bool)
    units[0, 2, 1, 0] = units[1, 0, 0, 0] = True
    hidden = masked.units.hidden_voxels(units, (4, 6, 8), (11, 12, 5))
    expected = torch.zeros(2, 1, 11, 12, 5, dtype=torch.bool)
    expected[0, 0, 8:, 6:] = expected[1, 0, :4, :6] = True
    assert torch.equal(hidden, expected)


@pytest.mark.parametrize("unit", [UNIT, (32, 64, 16)], ids=["blocks", "slabs"])
def test_a_batch_hides_units_by_its_draws_alone(masked, unit):
    ratio = 0.5
    hide, given = masked.HideUnits(ratio, unit, seed=3), batch(3)
    inputs, target = hide(given)
    image, hidden = target["reconstruction"], target["hidden"]
    assert torch.equal(image, given["image"].as_tensor())
    assert torch.equal(inputs, image.masked_fill(hidden, masked.units.HIDDEN))
    assert torch.equal(hidden.flatten(1).float().mean(dim=1), torch.full((3,), ratio))
    last = {key: value[2:] for key, value in given.items()}
    assert torch.equal(hide(last)[1]["hidden"], hidden[2:])  # whatever else is in the batch
    for other in (masked.HideUnits(ratio, UNIT, seed=4)(given), hide(batch(3, epoch=1))):
        assert unit != UNIT or not torch.equal(other[1]["hidden"], hidden)


@pytest.mark.parametrize(
    ("ratio", "unit", "words"),
    [
        (0.0, UNIT, "mask_ratio 0.0 is no share"),
        (1.0, UNIT, "mask_ratio 1.0 is no share"),
        ([0.9, 0.6], UNIT, "is no share of the units; give one above 0 and below 1, or two, the"),
        (0.5, (16, 15, 16), r"mask_unit \[16, 15, 16\]: give even numbers"),
        ([0.5, 0.97], UNIT, "hides all 16 units of a crop of"),
    ],
)
def test_what_hides_nothing_everything_or_half_a_token_is_refused(
    masked, refusal, ratio, unit, words
):
    with refusal(words):
        masked.HideUnits(ratio, unit, seed=0)(batch())


@pytest.mark.parametrize("value", [-1e-3, -1.0])
def test_an_image_with_a_value_below_0_is_refused_in_training_and_inference(masked, refusal, value):
    """Visible voxels would count as hidden: the network knows these by their sign."""
    given = batch()
    given["image"][1, 0, 3, 4, 5] = value
    with refusal(f"a crop of a batch has values down to {value:.3g} .* clip them"):
        masked.HideUnits(0.5, UNIT, seed=0)(given)
    volume = MetaTensor(given["image"][1].as_tensor(), meta={"filename_or_obj": "/data/ct1.nii"})
    with refusal(f"/data/ct1.nii has values down to {value:.3g} after .* clip them"):
        masked.HideUnitsd("image", 0.5, UNIT, seed=0)({"image": volume})
    with refusal("an image has values down to"):
        masked.HideUnitsd("image", 0.5, UNIT, seed=0)({"image": volume.as_tensor()})


def test_a_volume_of_any_size_always_loses_the_same_units(masked):
    volume = MetaTensor(torch.rand(1, 37, 64, 50))
    hide = masked.HideUnitsd("image", 0.5, UNIT, seed=0)
    first, second = (hide({"image": volume})["image"] for _ in range(2))
    assert torch.equal(first, second) and first.meta == volume.meta
    lost = first != volume
    assert 0.35 < lost.float().mean() < 0.65 and (first[lost] == masked.units.HIDDEN).all()


@pytest.mark.parametrize("skips", [False, True], ids=["head", "skips"])
def test_hidden_voxels_change_no_output_and_no_gradient(masked, skips):
    """In a sliding window too, where a unit ends inside a token."""
    network = built(masked, skips).train()
    hidden = masked.HideUnits(0.6, UNIT, seed=0)(batch())[1]["hidden"]
    shifted = hidden.roll((1, 0, 3), dims=(2, 3, 4))
    truth, loss = torch.rand(2, 1, *SHAPE), masked.MaskedLoss({"masked": 1.0})
    for places in (hidden, shifted):
        results = []
        for fill in (-1.0, -torch.rand(2, 1, *SHAPE) - 0.5):
            network.zero_grad()
            outputs = network(torch.where(places, torch.as_tensor(fill), truth))
            loss(outputs, {"reconstruction": truth, "hidden": places}).backward()
            gradients = [parameter.grad.clone() for parameter in network.parameters()]
            results.append([outputs["reconstruction"].detach(), *gradients])
        assert all(map(torch.equal, *results))
        assert torch.equal(results[0][0][~places], truth[~places])
        assert not torch.equal(results[0][0][places], truth[places])


@pytest.mark.parametrize("skips", [False, True], ids=["head", "skips"])
def test_every_parameter_gets_a_gradient_and_evaluation_gives_one_image(masked, skips):
    network = built(masked, skips).train()
    inputs, target = masked.HideUnits(0.6, UNIT, seed=0)(batch())
    masked.MaskedLoss({"masked": 1.0})(network(inputs), target).backward()
    still = [name for name, p in network.named_parameters() if not p.grad.abs().sum() > 0]
    # what an instance norm follows has no use for its bias
    assert [name for name in still if not name.endswith("conv.bias")] == []
    network.eval()
    with torch.no_grad():
        restored = network(inputs)
        assert isinstance(restored, Tensor) and restored.shape == inputs.shape
        assert torch.equal(restored, network.all_heads(inputs)["reconstruction"])


def share_of_batch(rank: int, world_size: int, is_distilled: bool) -> tuple[float, ...]:
    """The gradient of one weight, and its loss in the step, in the log and in a validation.

    Of three crops, which hide 1, 10 and 60 of 64 voxels, the first two processes take one and two.
    """
    import_scripts("pretrain_ssl")
    masked, distilled = (
        importlib.import_module(f"scripts.objectives.{name}") for name in ("masked", "distilled")
    )
    torch.manual_seed(0)
    truth, logits, assignment = (
        torch.rand(3, 1, 4, 4, 4),
        torch.rand(3, 64, 5),
        torch.rand(3, 64, 5),
    )
    hidden = torch.arange(64).expand(3, 64) < torch.tensor([1, 10, 60])[:, None]
    own = slice(None) if world_size == 1 else [slice(0, 1), slice(1, 3)][rank]
    weight = torch.tensor(0.5, requires_grad=True)
    target = {"reconstruction": truth[own], "hidden": hidden.view_as(truth)[own]}
    pred = {"reconstruction": weight * truth[own].square()}
    loss = masked.MaskedLoss({"masked": 1.0}, "l2")
    if is_distilled:
        target |= {"hidden_tokens": hidden[own], "token_assignment": assignment[own]}
        target |= {"global_assignment": torch.zeros(2, 3)}
        pred |= {"token_logits": weight * logits[own], "global_logits": torch.zeros(2, 3)}
        loss = distilled.DistilledLoss({"masked": 1.0, "token": 1.0})
    step = loss(pred, target)
    step.backward()
    with torch.no_grad():
        log = loss.weighted(loss.terms(pred, target))
        pred = {name: value.detach() for name, value in pred.items()}
        validation = loss(pred, target) if rank == 0 else torch.tensor(0.0)  # others may have ended
    return tuple(map(float, (weight.grad, step.detach(), log, validation)))


@pytest.mark.parametrize("is_distilled", [False, True])
def test_processes_that_hide_more_or_less_train_as_one_with_the_whole_batch(tmp_path, is_distilled):
    one = share_of_batch(0, 1, is_distilled)
    two = in_two_processes(tmp_path, share_of_batch, 2, is_distilled)
    means = [sum(values) / 2 for values in zip(*two)]  # as DDP and the log take them
    assert means[:3] == pytest.approx(one[:3], rel=1e-5)
    assert two[0][1] != pytest.approx(two[1][1], rel=1e-2)


@pytest.mark.parametrize("error", ["l1", "l2"])
def test_the_loss_is_the_mean_over_hidden_voxels_and_visible_ones_get_no_gradient(masked, error):
    truth, guess = torch.rand(2, 1, 8, 8, 8), torch.rand(2, 1, 8, 8, 8, requires_grad=True)
    hidden = torch.rand(2, 1, 8, 8, 8) < 0.3
    loss = masked.MaskedLoss({"masked": 2.0}, error)
    value = loss({"reconstruction": guess}, {"reconstruction": truth, "hidden": hidden})
    errors = (guess - truth)[hidden]
    expected = errors.abs().mean() if error == "l1" else errors.square().mean()
    assert torch.allclose(value, 2 * expected)
    value.backward()
    assert (guess.grad[~hidden] == 0).all() and (guess.grad[hidden] != 0).all()


def test_an_unknown_error_is_refused(masked, refusal):
    with refusal("loss::error huber is unknown; give l1 or l2"):
        masked.MaskedLoss({"masked": 1.0}, "huber")


def test_with_nothing_hidden_the_encoder_is_monais_own(masked):
    network = built(masked, skips=False).eval()
    image, seen = torch.rand(1, 1, *SHAPE), []
    hidden = masked.units.draw_units(np.random.default_rng(0), (2, 4, 2), 0)
    given = image.masked_fill(
        masked.units.hidden_voxels(torch.from_numpy(hidden)[None], UNIT, SHAPE), -1
    )
    network.reconstruction_head.register_forward_hook(lambda *call: seen.append(call[1][0]))
    with torch.no_grad():
        network(given)
        assert torch.equal(seen[0], network.swinViT(image)[-1])


def test_metrics_of_a_perfect_a_constant_and_a_wrong_prediction(masked):
    truth = torch.rand(3, 1, 8, 8, 8)
    truth[2] = 0.5  # uniform: no variance to restore
    hidden = torch.rand(3, 1, 8, 8, 8) < 0.5
    target = {"reconstruction": truth, "hidden": hidden}
    metrics = masked.MaskedMetrics(masked.MaskedLoss({"masked": 1.0}))
    mean = torch.stack([crop[places].mean() for crop, places in zip(truth, hidden)])
    constant = mean.view(3, 1, 1, 1, 1).expand_as(truth)
    of = {
        name: metrics.of_crops({"reconstruction": guess}, target)
        for name, guess in {"perfect": truth, "constant": constant, "wrong": 1 - truth}.items()
    }
    assert torch.equal(of["perfect"]["masked_r2"], torch.ones(3))
    assert torch.equal(of["perfect"]["masked_l1"], torch.zeros(3))
    assert of["constant"]["masked_r2"][:2].abs().max() < 1e-5
    assert of["wrong"]["masked_r2"][:2].max() < 0
    visible = truth[0][~hidden[0]].mean()
    expected = (truth[0][hidden[0]] - visible).abs().mean()
    assert torch.allclose(of["wrong"]["masked_l1_of_mean"][0], expected)
    chance = metrics.chance_levels({"reconstruction": truth}, target)
    assert chance["masked_r2"] == 0
    assert torch.equal(chance["masked_l1"], of["wrong"]["masked_l1_of_mean"].mean())


def test_pictures_show_what_the_network_sees(masked, base, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "torch.utils.tensorboard.SummaryWriter.add_image",
        lambda self, name, picture, *rest, **kwargs: drawn.append(picture),
    )
    inputs, target = masked.HideUnits(0.6, UNIT, seed=0)(batch())
    engine = SimpleNamespace(
        state=SimpleNamespace(
            output={"label": target, "pred": {"reconstruction": inputs / 2}, "image": inputs},
            iteration=1,
        )
    )
    base.ValidationPictures(str(tmp_path), engine).first_batch_completed(engine, engine)
    intact, seen, restored = np.hsplit(drawn[0], 3)
    hidden = seen == 0
    assert 0.3 < hidden.mean() < 0.9
    assert np.array_equal(intact[~hidden], seen[~hidden]) and not restored[hidden].any()


def test_a_token_with_one_hidden_voxel_is_the_mask_token(masked):
    hidden = torch.zeros(1, 1, 8, 8, 8, dtype=torch.bool)
    hidden[0, 0, 3, 4, 7] = True
    tokens, token = torch.rand(1, 5, 4, 4, 4), torch.rand(5)
    replaced = masked.network.replacement(hidden, token, (2, 2, 2))(tokens)
    assert torch.equal(replaced[0, :, 1, 2, 3], token)
    tokens[0, :, 1, 2, 3] = token
    assert torch.equal(replaced, tokens)
