"""A teacher that no gradient and no mask reaches, and that follows its student exactly."""

import importlib
from math import log
from types import ModuleType, SimpleNamespace

import pytest
import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from monai.networks.nets.swin_unetr import SwinTransformer

SHAPE, UNIT, PROTOTYPES = (32, 32, 32), (16, 16, 16), 24
WEIGHTS = {"masked": 1.0, "token": 0.1, "global": 0.1}


@pytest.fixture
def distilled(scripts) -> ModuleType:
    """`scripts.objectives.distilled`."""
    return importlib.import_module("scripts.objectives.distilled")


@pytest.fixture
def network(distilled):
    torch.manual_seed(0)
    encoder = SwinTransformer(1, 12, [4, 4, 4], [2, 2, 2], [1, 1, 1, 1], [3, 6, 12, 24])
    return distilled.DistilledNetwork(encoder, PROTOTYPES, width=32, bottleneck=16)


def batch() -> dict:
    draws = torch.tensor([[0, index // 2, index % 2] for index in range(4)])
    image = torch.rand(4, 1, *SHAPE, generator=torch.Generator().manual_seed(1))
    return {"image": MetaTensor(image), "draw": draws}


def copied(network) -> list[torch.Tensor]:
    return [value.clone() for value in network.teacher.parameters()]


def pairs(network) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Each tensor of the teacher and the student's of the same name."""
    own = dict(network.named_parameters())
    named = network.teacher.named_parameters()
    return [(value, own[name.replace("encoder.", "swinViT.", 1)]) for name, value in named]


def disturb(network) -> None:
    """As if the student had made a step."""
    with torch.no_grad():
        for name, value in network.named_parameters():
            if not name.startswith("teacher."):
                value.add_(torch.randn_like(value))


def test_momentum_1_keeps_the_teacher_and_momentum_0_makes_it_the_student(network):
    assert len(pairs(network)) > 50 and all(torch.equal(*pair) for pair in pairs(network))
    disturb(network)
    before = copied(network)
    network.teacher.follow(network, 1.0)
    assert all(map(torch.equal, copied(network), before))
    network.teacher.follow(network, 0.25)
    halves = [0.25 * old + 0.75 * own for old, (_, own) in zip(before, pairs(network))]
    assert all(torch.allclose(new, half, atol=1e-6) for new, half in zip(copied(network), halves))
    network.teacher.follow(network, 0.0)
    assert all(torch.equal(*pair) for pair in pairs(network))


def test_the_momentum_rises_from_its_start_to_1(distilled):
    handler = distilled.MomentumUpdate(iterations=100)
    values = [handler.momentum(i) for i in range(101)]
    assert values[0] == pytest.approx(0.996) and values[100] == 1
    assert values[50] == pytest.approx(0.998) and values == sorted(values)


def test_every_gradient_is_the_students(distilled, network):
    hide = distilled.DistilledBatch(network, 0.6, UNIT, seed=0)
    inputs, target = hide(batch())
    distilled.DistilledLoss(WEIGHTS)(network.train()(inputs), target).backward()
    assert not network.teacher.training
    assert all(value.grad is None for value in network.teacher.parameters())
    assert not any(value.requires_grad for value in target.values())
    own = {k: v for k, v in network.named_parameters() if not k.startswith("teacher.")}
    assert [name for name, value in own.items() if not value.grad.abs().sum() > 0] == []


def test_the_teacher_sees_the_whole_crop_whatever_is_hidden(distilled, network):
    first, second = (
        distilled.DistilledBatch(network, 0.6, UNIT, seed=seed)(batch())[1] for seed in (0, 1)
    )
    assert not torch.equal(first["hidden"], second["hidden"])
    for name in ("token", "global"):
        for part in ("embedding", "assignment", "mean"):
            assert torch.equal(first[f"{name}_{part}"], second[f"{name}_{part}"])


def test_a_crop_with_a_value_below_0_is_refused(distilled, network, refusal):
    """The student would take visible voxels for hidden ones."""
    given = batch()
    given["image"][2, 0, 3, 4, 5] = -0.25
    with refusal("a crop of a batch has values down to -0.25 after the transforms"):
        distilled.DistilledBatch(network, 0.6, UNIT, seed=0)(given)


def test_tokens_are_the_units_that_are_hidden(distilled, network):
    target = distilled.DistilledBatch(network, 0.6, UNIT, seed=0)(batch())[1]
    assert target["hidden_tokens"].shape == target["token_embedding"].shape[:2] == (4, 8)
    assert torch.equal(target["hidden_tokens"].sum(dim=1), torch.full((4,), 5))
    assert torch.equal(target["hidden_tokens"], target["hidden"][..., ::16, ::16, ::16].flatten(1))


@pytest.mark.parametrize("unit", [(8, 8, 8), (16, 16, 24), (2, 16, 16)])
def test_units_that_hide_parts_of_tokens_are_refused(distilled, network, refusal, unit):
    with refusal(r"hidden whole or not at all; give multiples of 16\."):
        distilled.DistilledBatch(network, 0.6, unit, seed=0)


def test_larger_units_hide_all_tokens_in_them(distilled, network):
    hide = distilled.DistilledBatch(network, 0.5, (32, 16, 32), seed=0)
    target = hide(batch())[1]
    assert torch.equal(target["hidden_tokens"], target["hidden"][..., ::16, ::16, ::16].flatten(1))
    assert torch.equal(target["hidden_tokens"].sum(dim=1), torch.full((4,), 4))


def test_teacher_and_student_read_the_tokens_in_front_of_the_last_merging(distilled, network):
    crop, merging, outputs = batch()["image"].as_tensor(), network.swinViT.layers4[0].downsample, []
    merging.register_forward_pre_hook(lambda _, inputs: outputs.append(inputs[0]))
    with torch.no_grad():
        network.swinViT.eval()(crop)
        tokens = torch.nn.functional.layer_norm(outputs[0], outputs[0].shape[-1:]).flatten(1, 3)
        expected = network.token_head(distilled.heads.standardized(tokens))[0]
        student = network.all_heads(crop)["token_embedding"]
    assert expected.shape == (4, 8, 16)
    assert torch.allclose(network.teacher(crop)["token_embedding"], expected, atol=1e-5)
    assert torch.allclose(student, expected, atol=1e-5)
    assert not any("downsample" in n for n in network.teacher.encoder.layers4.state_dict())


def test_tokens_that_are_nearly_equal_get_mean_0_and_variance_1(distilled):
    tokens = 5 + 0.1 * torch.randn(4, 8, 96, generator=torch.Generator().manual_seed(0))
    found = distilled.heads.standardized(tokens)
    assert torch.allclose(found.mean((0, 1)), torch.zeros(96), atol=1e-3)
    assert torch.allclose(found.var((0, 1), correction=0), torch.ones(96), atol=1e-2)
    assert torch.nn.functional.cosine_similarity(tokens[0, :1], tokens[0, 1:]).min() > 0.999
    assert torch.nn.functional.cosine_similarity(found[0, :1], found[0, 1:]).max() < 0.5


def test_cosines_with_prototypes_are_float32_under_autocast(distilled):
    head = distilled.PrototypeHead(96, PROTOTYPES, width=32, bottleneck=16)
    with torch.autocast("cpu", torch.bfloat16):
        assert head.mlp(torch.randn(4, 8, 96)).dtype == torch.bfloat16
        embedding, cosines = head(torch.randn(4, 8, 96))
    assert embedding.dtype == cosines.dtype == torch.float32
    exact = embedding.double() @ torch.nn.functional.normalize(head.prototypes.double(), dim=-1).T
    assert torch.allclose(cosines.double(), exact, atol=1e-6)


def test_cross_entropy_with_itself_is_the_entropy(distilled):
    logits = torch.randn(5, 7, 9)
    assignment = (logits / 0.1).softmax(dim=-1)
    found = distilled.loss.cross_entropy(assignment, logits, 0.1)
    assert torch.allclose(found, torch.special.entr(assignment).sum(dim=-1), atol=1e-5)


def test_the_global_target_is_the_other_crop_of_the_volume(distilled):
    values = torch.arange(6)[:, None]
    assert distilled.loss.other_crop(values)[:, 0].tolist() == [1, 0, 3, 2, 5, 4]


def test_visible_tokens_have_no_part_in_the_loss(distilled, network):
    inputs, target = distilled.DistilledBatch(network, 0.6, UNIT, seed=0)(batch())
    pred = network.train()(inputs)
    pred["token_logits"].retain_grad()
    distilled.DistilledLoss({"token": 1.0})(pred, target).backward()
    gradient, hidden = pred["token_logits"].grad.abs().sum(dim=-1), target["hidden_tokens"]
    assert (gradient[~hidden] == 0).all() and (gradient[hidden] > 0).all()


def engine_of(network, means: dict, iteration: int) -> SimpleNamespace:
    state = SimpleNamespace(iteration=iteration, output={"label": means})
    return SimpleNamespace(network=network, state=state)


def test_the_handler_starts_warms_freezes_centres_and_resumes(distilled, network):
    handler = distilled.MomentumUpdate(iterations=100, momentum=0.9, warmup=0.5, frozen=0.2)
    means = {f"{name}_mean": torch.ones(PROTOTYPES) for name in ("token", "global")}
    disturb(network)
    before = copied(network)
    handler.started(engine_of(network, means, iteration=7))
    assert all(map(torch.equal, copied(network), before))  # a run that goes on
    handler.started(engine_of(network, means, iteration=0))
    assert all(torch.equal(*pair) for pair in pairs(network))
    for iteration, expected in ((1, 0.04), (26, 0.055), (51, 0.07), (90, 0.07)):
        handler.iteration_started(engine_of(network, means, iteration))
        assert float(network.teacher.temperature) == pytest.approx(expected)
    for iteration, is_frozen in ((1, True), (20, True), (21, False), (100, False)):
        for head in (network.token_head, network.global_head):
            head.prototypes.grad = torch.ones(PROTOTYPES, 16)
        handler.backward_completed(engine_of(network, means, iteration))
        for head in (network.token_head, network.global_head):
            assert (head.prototypes.grad is None) == is_frozen
    handler.iteration_completed(engine_of(network, means, iteration=1))
    assert torch.equal(network.teacher.token_centre, torch.ones(PROTOTYPES))
    zeros = {name: torch.zeros_like(mean) for name, mean in means.items()}
    for iteration in (2, 3):
        handler.iteration_completed(engine_of(network, zeros, iteration))
    assert torch.allclose(network.teacher.token_centre, torch.full((PROTOTYPES,), 0.81))


@pytest.mark.parametrize("iterations, frozen", [(50, 0), (199, 1), (450000, 4500)])
def test_prototypes_are_frozen_for_a_share_of_the_iterations(
    distilled, network, iterations, frozen
):
    handler, prototypes = distilled.MomentumUpdate(iterations), network.token_head.prototypes
    for iteration, is_frozen in ((frozen, True), (frozen + 1, False)):
        if iteration > 0:
            prototypes.grad = torch.ones(PROTOTYPES, 16)
            handler.backward_completed(engine_of(network, {}, iteration))
            assert (prototypes.grad is None) == is_frozen


def test_metrics_of_a_student_that_knows_all_and_one_that_is_wrong(distilled):
    generator = torch.Generator().manual_seed(0)
    tokens = torch.nn.functional.normalize(torch.randn(4, 8, 16, generator=generator), dim=-1)
    crops = torch.eye(4)
    image, hidden = torch.rand(4, 1, *SHAPE), torch.ones(4, 1, *SHAPE, dtype=torch.bool)
    target = {
        "reconstruction": image,
        "hidden": hidden,
        "hidden_tokens": torch.ones(4, 8, dtype=torch.bool),
        "token_embedding": tokens,
        "token_assignment": torch.eye(8).expand(4, 8, 8),
        "global_embedding": crops,
    }
    pred = {
        "reconstruction": image,
        "token_embedding": tokens,
        "global_embedding": crops[[1, 0, 3, 2]],
    }
    metrics = distilled.DistilledMetrics(distilled.DistilledLoss(WEIGHTS))
    found = metrics.of_crops(pred, target)
    assert found["token_top1"].tolist() == found["global_top1"].tolist() == [1] * 4
    assert found["teacher_entropy"].tolist() == pytest.approx([log(8)] * 4)
    assert not found["token_evenness"].any()
    even = target | {"token_assignment": torch.full((4, 8, 8), 1 / 8)}
    assert metrics.of_crops(pred, even)["token_evenness"].tolist() == pytest.approx([1] * 4)
    wrong = pred | {"token_embedding": tokens.roll(1, 1), "global_embedding": crops[[2, 3, 0, 1]]}
    collapsed = target | {"token_assignment": torch.eye(8)[:1].expand(4, 8, 8)}
    found = metrics.of_crops(wrong, collapsed)
    assert not any(found[n].any() for n in ("token_top1", "global_top1", "teacher_entropy"))
    chance = metrics.chance_levels(pred, target)
    assert chance["token_top1"] == 1 / 32 and chance["global_top1"] == 1 / 3


@pytest.mark.parametrize(
    "scale, prefers, words",
    [
        (1.0, False, None),  # of an untrained teacher
        (0.1, False, "it gives every token nearly even probabilities"),
        (1.0, True, "less than that of two"),
    ],
    ids=["healthy", "even", "one prototype"],
)
def test_both_collapses_of_the_teacher_are_told(distilled, base, caplog, scale, prefers, words):
    """Cosines of 64 features with 512 prototypes, at the temperature after the warm-up."""
    generator = torch.Generator().manual_seed(0)
    logits = scale * torch.randn(4, 8, 512, generator=generator) / 64**0.5 / 0.07
    logits[..., 0] += 100 * prefers
    image = torch.rand(4, 1, *SHAPE, generator=generator)
    embeddings = {"token_embedding": torch.ones(4, 8, 16), "global_embedding": torch.eye(4)}
    target = {
        "reconstruction": image,
        "hidden": torch.ones(4, 1, *SHAPE, dtype=torch.bool),
        "hidden_tokens": torch.ones(4, 8, dtype=torch.bool),
        "token_assignment": logits.softmax(dim=-1),
        **embeddings,
    }
    metrics = distilled.DistilledMetrics(distilled.DistilledLoss(WEIGHTS))
    found = metrics.of_crops({"reconstruction": image, **embeddings}, target)
    engine = Engine(lambda engine, batch: None)
    base.CollapseWarning().attach(engine)
    engine.state.metrics = {name: float(value.mean()) for name, value in found.items()}
    engine.run([batch()])
    assert len(caplog.messages) == (words is not None) and (words or "") in caplog.text


def test_evaluation_gives_the_restored_image_alone(distilled, network):
    inputs = distilled.DistilledBatch(network, 0.6, UNIT, seed=0)(batch())[0]
    with torch.no_grad():
        restored = network.eval()(inputs)
        assert torch.equal(restored, network.all_heads(inputs)["reconstruction"])


def test_crops_without_a_second_one_of_their_volume_are_refused(distilled, network, refusal):
    hide, crops = distilled.DistilledBatch(network, 0.6, UNIT, seed=0), batch()
    with refusal("leave --crops_per_item at 2"):
        hide({name: value[:3] for name, value in crops.items()})
    crops["draw"][:, 1] = torch.arange(4)  # of four volumes
    with refusal("leave --crops_per_item at 2"):
        hide(crops)
