"""Noise, low resolution and lost channels: what each does exactly, and that they follow draws."""

import importlib
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.networks.layers import GaussianFilter
from monai.networks.nets import SwinUNETR
from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor, nn
from torch.nn.functional import interpolate

SHAPE = (32, 64, 32)
FEATURES, LOST = 12, 7
ALL = {"noise_variance": 0.1, "downsampling": 4, "channel_drop_rate": 0.6}
NONE = {"noise_variance": 0.0, "downsampling": 1, "channel_drop_rate": 0.0}
LOSS = {"reconstruction": 1.0}


@pytest.fixture
def disrupted(scripts) -> ModuleType:
    """`scripts.objectives.disrupted`."""
    return importlib.import_module("scripts.objectives.disrupted")


def built(disrupted: ModuleType, rate: float = 0.6, seed: int = 0) -> nn.Module:
    encoder = SwinTransformer(1, FEATURES, [4, 4, 4], [2, 2, 2], [1, 1, 1, 1], [3, 6, 12, 24])
    return disrupted.DisruptedUNETR(encoder, rate, seed)


def prepared(disrupted: ModuleType, given: dict, seed: int = 3, **changes):
    return disrupted.DisruptCrops(**ALL | changes, features=FEATURES, seed=seed)(given)


def batch(count: int = 2, epoch: int = 0) -> dict:
    draws = torch.tensor([[epoch, index, 0] for index in range(count)])
    return {"image": MetaTensor(torch.rand(count, 1, *SHAPE)), "draw": draws}


def tokens_of(network: nn.Module, inputs) -> tuple[Tensor, Tensor]:
    """Tokens of the patch embedding, and those that the first stage sees."""
    seen = []
    hooks = [
        network.swinViT.patch_embed.register_forward_hook(lambda *call: seen.append(call[2])),
        network.swinViT.layers1[0].register_forward_pre_hook(lambda *call: seen.append(call[1][0])),
    ]
    with torch.no_grad():
        network(inputs)
    for hook in hooks:
        hook.remove()
    embedded, first = seen
    return embedded, first


def test_no_disruption_leaves_images_and_network_as_they_are(disrupted):
    images = torch.rand(2, 1, *SHAPE)
    changed = disrupted.disruptions.disrupt(images, [0, 1], noise_variance=0.0, downsampling=1)
    assert torch.equal(changed, images)
    network = built(disrupted, rate=0.0).eval()
    monai = SwinUNETR(1, 1, depths=(1, 1, 1, 1), window_size=4, feature_size=FEATURES).eval()
    monai.load_state_dict(network.state_dict())
    lost = torch.zeros(2, FEATURES, dtype=torch.bool)
    with torch.no_grad():
        expected = monai(images)
        assert torch.equal(network(images), expected)
        crops = disrupted.DisruptedCrops(images, lost)
        assert torch.equal(network.all_heads(crops)["reconstruction"], expected)


@pytest.mark.parametrize("factor", [2, 4])
def test_low_resolution_is_nearest_interpolation_there_and_back(disrupted, factor):
    images = torch.rand(2, 1, *SHAPE)
    coarse = disrupted.disruptions.coarsen(images, factor)
    small = interpolate(images, [edge // factor for edge in SHAPE])
    assert torch.equal(coarse, interpolate(small, SHAPE)) and not torch.equal(coarse, images)


def test_every_block_has_the_value_of_its_first_voxel(disrupted):
    images = torch.rand(1, 1, 9, 8, 6)  # not divisible, as a whole volume may be
    coarse = disrupted.disruptions.coarsen(images, 4)
    places = [torch.arange(edge) // 4 * 4 for edge in (9, 8, 6)]
    assert torch.equal(coarse, images[:, :, *torch.meshgrid(*places, indexing="ij")])


def test_noise_has_its_variance_and_follows_from_the_seed_of_each_image(disrupted):
    images = torch.rand(3, 1, 64, 64, 32)
    noisy = disrupted.disruptions.add_noise(images, [5, 6, 5], 0.1)
    noise = noisy - images
    assert abs(noise.mean()) < 0.005 and abs(noise.var() - 0.1) < 0.002
    assert torch.allclose(noise[0], noise[2], atol=1e-6) and not torch.equal(noise[0], noise[1])
    alone = disrupted.disruptions.add_noise(images[1:2], [6], 0.1)
    assert torch.equal(alone[0], noisy[1])


@pytest.mark.parametrize(("features", "rate", "count"), [(48, 0.6, 28), (100, 0.29, 29), (9, 0, 0)])
def test_the_share_of_channels_is_rounded_down(disrupted, features, rate, count):
    rngs = map(np.random.default_rng, range(9))
    draws = [disrupted.disruptions.draw_channels(rng, features, rate) for rng in rngs]
    assert all(lost.shape == (features,) and lost.sum() == count for lost in draws)
    assert count == 0 or len({tuple(lost.tolist()) for lost in draws}) > 1


def test_a_batch_is_disrupted_by_its_draws_alone(disrupted):
    given = batch(3)
    inputs, target = prepared(disrupted, given)
    image = target["reconstruction"]
    assert torch.equal(image, given["image"].as_tensor())
    assert torch.equal(inputs.image, target["disrupted"])
    assert torch.equal(inputs.image, disrupted.disruptions.coarsen(inputs.image, 4))
    first = image[..., ::4, ::4, ::4]
    assert abs((inputs.image[..., ::4, ::4, ::4] - first).var() - 0.1) < 0.01
    assert inputs.lost.sum(dim=1).tolist() == [LOST] * 3
    assert len({tuple(lost.tolist()) for lost in inputs.lost}) > 1
    last = {key: value[2:] for key, value in given.items()}
    again, _ = prepared(disrupted, last)  # at another place of another batch
    assert torch.equal(again.image, inputs.image[2:]) and torch.equal(again.lost, inputs.lost[2:])
    for other in (
        prepared(disrupted, given, seed=4),
        prepared(disrupted, given | {"draw": given["draw"] + 1}),
    ):
        assert not torch.equal(other[0].image, inputs.image)
        assert not torch.equal(other[0].lost, inputs.lost)


@pytest.mark.parametrize("kept", ALL)
def test_each_disruption_can_stand_alone(disrupted, kept):
    given = batch()
    inputs, target = prepared(disrupted, given, **NONE | {kept: ALL[kept]})
    assert inputs.lost.any() == (kept == "channel_drop_rate")
    assert torch.equal(inputs.image, target["reconstruction"]) == (kept == "channel_drop_rate")
    coarse = disrupted.disruptions.coarsen(inputs.image, 4)
    assert torch.equal(coarse, inputs.image) == (kept == "downsampling")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (NONE, "nothing is disrupted; give noise_variance above 0, downsampling above 1 or"),
        ({"noise_variance": -0.1}, "noise_variance -0.1 is no variance; give 0 or more"),
        ({"downsampling": 0}, "downsampling 0 is no factor; give a whole number from 1"),
        ({"downsampling": 1.5}, "downsampling 1.5 is no factor"),
        ({"channel_drop_rate": 1.0}, "channel_drop_rate 1.0 is no share; give one from 0 to below"),
    ],
)
def test_what_disrupts_nothing_or_cannot_be_is_refused(disrupted, refusal, changes, words):
    with refusal(words):
        prepared(disrupted, batch(), **changes)


def test_lost_channels_are_0_at_all_tokens_and_others_stay(disrupted):
    network = built(disrupted).train()
    inputs, _ = prepared(disrupted, batch(3))
    embedded, first = tokens_of(network, inputs)
    assert (first == 0).flatten(2).all(dim=2).equal(inputs.lost)
    kept = ~inputs.lost
    assert torch.equal(first[kept], embedded[kept]) and (embedded[~kept] != 0).any()


def test_an_image_alone_always_loses_the_same_channels(disrupted):
    network = built(disrupted).eval()
    windows = torch.rand(3, 1, *SHAPE)
    embedded, first = tokens_of(network, windows)
    lost = (first == 0).flatten(2).all(dim=2)
    assert lost.sum(dim=1).tolist() == [LOST] * 3 and (lost == lost[0]).all()
    assert torch.equal(first[~lost], embedded[~lost])
    assert torch.equal(built(disrupted).always_lost, lost[0])
    assert not torch.equal(built(disrupted, seed=1).always_lost, lost[0])


def test_every_parameter_gets_a_gradient_and_evaluation_gives_one_image(disrupted):
    network = built(disrupted).train()
    inputs, target = prepared(disrupted, batch())
    lost = torch.stack([inputs.lost[0], ~inputs.lost[0]])  # no channel by both
    inputs = disrupted.DisruptedCrops(inputs.image, lost)
    disrupted.DisruptedLoss(LOSS)(network(inputs), target).backward()
    still = [name for name, p in network.named_parameters() if not p.grad.abs().sum() > 0]
    # what an instance norm follows has no use for its bias
    assert [name for name in still if not name.endswith("conv.bias")] == []
    network.eval()
    with torch.no_grad():
        restored = network(inputs)
        assert isinstance(restored, Tensor) and restored.shape == inputs.image.shape
        assert torch.equal(restored, network.all_heads(inputs)["reconstruction"])


def test_the_network_is_swin_unetr_by_names(disrupted):
    monai = SwinUNETR(1, 1, depths=(1, 1, 1, 1), window_size=4, feature_size=FEATURES)
    assert built(disrupted).state_dict().keys() == monai.state_dict().keys()


def test_the_loss_is_the_mean_absolute_error_of_all_voxels(disrupted):
    truth, guess = torch.rand(2, 1, 8, 8, 8), torch.rand(2, 1, 8, 8, 8)
    loss = disrupted.DisruptedLoss({"reconstruction": 2.0})
    value = loss({"reconstruction": guess}, {"reconstruction": truth})
    assert torch.allclose(value, 2 * (guess - truth).abs().mean())
    half = {"reconstruction": guess.bfloat16()}
    assert loss.terms(half, {"reconstruction": truth})["reconstruction_loss"].dtype == torch.float32


def test_metrics_of_a_perfect_a_copied_and_a_constant_prediction(disrupted):
    truth = torch.rand(3, 1, 8, 8, 8)
    seen = truth + 0.1
    target = {"reconstruction": truth, "disrupted": seen}
    metrics = disrupted.DisruptedMetrics(disrupted.DisruptedLoss(LOSS))
    constant = truth.mean(dim=(1, 2, 3, 4), keepdim=True).expand_as(truth)
    of = {
        name: metrics.of_crops({"reconstruction": guess}, target)
        for name, guess in {"perfect": truth, "copied": seen, "constant": constant}.items()
    }
    assert torch.allclose(of["copied"]["psnr"], torch.full((3,), 20.0), atol=1e-3)  # -20 log10(0.1)
    assert torch.equal(of["copied"]["psnr_gain"], torch.zeros(3))
    assert torch.equal(of["perfect"]["l1"], torch.zeros(3))
    assert torch.allclose(of["perfect"]["psnr_gain"], torch.full((3,), 80.0), atol=1e-3)
    assert torch.equal(of["constant"]["l1"], of["copied"]["l1_of_mean"])
    assert torch.equal(of["constant"]["psnr_gain"], of["copied"]["psnr_gain_of_mean"])
    assert (of["constant"]["psnr_gain"] < 0).all()
    chance = metrics.chance_levels({"reconstruction": truth}, target)
    assert chance["psnr_gain"] == 0
    assert torch.equal(chance["l1"], of["constant"]["l1"].mean())


def test_smoothing_is_that_of_the_best_sigma_of_each_crop(disrupted):
    """One crop with much noise, which a wide filter removes; one with little, a narrow one."""
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(2, 1, 20, 20, 20, generator=rng)
    place = torch.linspace(0, 12.0, 20)
    waves = (0.5 + 0.3 * torch.sin(place)).expand(20, 20, 20)
    truth = torch.stack([torch.full((1, 20, 20, 20), 0.5), waves[None]])
    seen = truth + torch.tensor([0.3, 0.05]).view(2, 1, 1, 1, 1) * noise
    metrics = disrupted.DisruptedMetrics(disrupted.DisruptedLoss(LOSS))
    target = {"reconstruction": truth, "disrupted": seen}
    found = metrics.of_validation({"reconstruction": seen}, target)
    gains, l1s = [], []
    for sigma in (1, 2, 3, 4, 6):
        # a wide enough margin of the nearest voxels: MONAI's filter has 0 beyond the edges
        margin = nn.functional.pad(seen, [24] * 6, mode="replicate")
        image = GaussianFilter(3, sigma)(margin)[..., 24:-24, 24:-24, 24:-24].clamp(0, 1)
        as_predicted = metrics.of_crops({"reconstruction": image}, target)
        gains.append(as_predicted["psnr_gain"])
        l1s.append(as_predicted["l1"])
    gains, l1s = torch.stack(gains), torch.stack(l1s)
    best = gains.argmax(dim=0)
    assert best[0] > best[1] and (gains.max(dim=0).values > 0).all()
    assert torch.allclose(found["psnr_gain_of_smoothing"], gains.max(dim=0).values, atol=1e-4)
    assert torch.allclose(found["l1_of_smoothing"], l1s[best, [0, 1]])


def test_a_volume_of_any_size_always_gets_the_same_noise(disrupted):
    volume = MetaTensor(torch.rand(1, 37, 64, 50), affine=2 * torch.eye(4))
    transform = disrupted.Disruptd("image", 0.1, 4, seed=0)
    first, second = (transform({"image": volume})["image"] for _ in range(2))
    assert torch.equal(first, second) and torch.equal(first.affine, volume.affine)
    assert first.shape == volume.shape
    assert torch.equal(first, disrupted.disruptions.coarsen(first, 4))
    other = disrupted.Disruptd("image", 0.1, 4, seed=1)({"image": volume})["image"]
    assert not torch.equal(first, other)


def test_pictures_show_what_the_network_sees(disrupted, base, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "torch.utils.tensorboard.SummaryWriter.add_image",
        lambda self, name, picture, *rest, **kwargs: drawn.append(picture),
    )
    inputs, target = prepared(disrupted, batch())
    output = {"label": target, "pred": {"reconstruction": inputs.image / 2}, "image": inputs}
    engine = SimpleNamespace(state=SimpleNamespace(output=output, iteration=1))
    base.ValidationPictures(str(tmp_path), engine).first_batch_completed(engine, engine)
    intact, seen, restored = np.hsplit(drawn[0], 3)
    assert intact.shape == (2 * SHAPE[1], SHAPE[0])
    blocks = seen.reshape(2 * SHAPE[1] // 4, 4, SHAPE[0] // 4, 4)
    assert (blocks == blocks[:, :1, :, :1]).all() and len(np.unique(intact)) > 200
    visible = (seen > 0) & (seen < 255)
    assert visible.mean() > 0.5 and np.abs(restored - seen / 2.0)[visible].max() <= 1
