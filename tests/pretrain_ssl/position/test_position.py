"""Positions of crops as targets, the head that tells them, and objectives that take them or not."""

import importlib
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest
import torch
from helpers import config_files, write_nifti
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.networks.nets.swin_unetr import SwinTransformer
from nibabel.orientations import axcodes2ornt, ornt_transform
from torch import nn

SHAPE, SPACING = (64, 32, 32), (2.0, 2.0, 4.0)
SMALL = {"network_def::encoder::use_checkpoint": True, "patch_size": list(SHAPE)}
TAKE_PART, REFUSED = ("masked", "disrupted", "distilled"), ("", "volume_fusion")


@pytest.fixture
def position(scripts) -> ModuleType:
    """`scripts.objectives.position`."""
    return importlib.import_module("scripts.objectives.position")


@pytest.fixture
def points_of(position):
    return importlib.import_module("scripts.objectives.position.batch").points_of


def points(points_of, box, shape) -> torch.Tensor:
    """The centre and eight corners, (9, 3)."""
    return points_of(torch.tensor([box]), torch.tensor([shape])).view(9, 3)


def batch() -> dict:
    """Two crops each of two volumes, at different places."""
    firsts = torch.tensor([[0, 0, 0], [32, 0, 16], [64, 32, 0], [8, 96, 32]])
    image = torch.rand(4, 1, *SHAPE, generator=torch.Generator().manual_seed(1))
    return {
        "image": MetaTensor(image),
        "draw": torch.tensor([[0, index // 2, index % 2] for index in range(4)]),
        "box": torch.stack([firsts, firsts + torch.tensor(SHAPE)], dim=1),
        "volume_shape": torch.tensor([[128, 128, 64]] * 4),
    }


def parser_of(name: str, weight: float) -> ConfigParser:
    """The configs of a small training of an objective, by its overlay."""
    overlays = [f"objectives/{name}"] if name else []
    content = ConfigParser.load_config_files(
        config_files("pretrain_ssl", "train", *overlays, "demo")
    )
    parser = ConfigParser(content)
    small = SMALL | {"position_weight": weight, "spacing_mm": list(SPACING)}
    small |= {"prototypes": 16} if name == "distilled" else {}
    parser.update(small)
    return parser


def parts_of(name: str, weight: float):
    torch.manual_seed(0)
    try:
        return parser_of(name, weight).get_parsed_content("objective_parts")
    except RuntimeError as error:  # the parser's, about the one below
        raise error.__cause__ from None


def test_corners_of_the_whole_volume_are_the_unit_cube(points_of):
    found = points(points_of, [[0, 0, 0], [7, 9, 5]], [7, 9, 5])
    corners = [[float(bit) for bit in f"{number:03b}"] for number in range(8)]
    assert found.tolist() == [[0.5] * 3, *corners]


def test_a_mirrored_volume_has_mirrored_targets(points_of):
    shape = (128, 64, 32)
    found = points(points_of, [[16, 8, 2], [48, 40, 10]], shape)
    for axis in range(3):
        box = [[16, 8, 2], [48, 40, 10]]
        first, end = box[0][axis], box[1][axis]
        box[0][axis], box[1][axis] = shape[axis] - end, shape[axis] - first
        mirrored = found.clone()
        mirrored[:, axis] = 1 - mirrored[:, axis]
        cube = mirrored[1:].view(2, 2, 2, 3).flip(axis).reshape(8, 3)
        expected = torch.cat([mirrored[:1], cube])
        assert torch.equal(points(points_of, box, shape), expected) and not found.equal(expected)


def coordinates(tmp_path, kind: str, axis: int) -> str:
    """A file whose voxels hold their own coordinate on the training's grid, along one axis."""
    index = np.indices((40, 45, 50), dtype=np.float32)[axis]
    path, spacing = tmp_path / "a.nii", np.array(SPACING)
    if kind == "mapped":
        return write_nifti(path, index, SPACING)
    if kind == "resampled":  # every voxel twice as fine
        fine = np.indices((79, 89, 99), dtype=np.float32)[axis] / 2
        return write_nifti(path.with_suffix(".nii.gz"), fine, spacing / 2)
    in_air = np.pad(index, [(5, 3), (0, 7), (9, 2)], constant_values=-1000)
    image = nib.Nifti1Image(in_air, np.diag([*SPACING, 1]))
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt("SPL"))
    nib.save(image.as_reoriented(turn), path)
    return str(path)


@pytest.mark.filterwarnings("ignore:only one image", "ignore:.*do not look like Hounsfield units")
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("kind", ["mapped", "turned and in air", "resampled"])
def test_a_crop_of_coordinates_holds_its_own_target(scripts, position, tmp_path, kind, axis):
    """From the file to the batch, by the very transforms and loaders of both engines."""
    edge, path = (40, 45, 50)[axis], coordinates(tmp_path, kind, axis)
    parser = parser_of("position", 1.0)
    small = {"dataset_dir": path, "patch_size": [32, 32, 32], "hu_min": 0, "hu_max": 100}
    parser.update({**small, "val_passes": 4})
    for expression in parser["imports"]:
        exec(expression[1:], parser.globals)
    prepare_batch = position.PositionBatch(position.LocatedCrops(), SPACING)
    firsts = set()
    for engine in ("train", "validate"):
        loader = iter(parser.get_parsed_content(f"{engine}::dataloader"))
        for crops in [next(loader), next(loader)]:
            images, target = prepare_batch(crops, torch.device("cpu"))
            points = target["position"].view(-1, 9, 3)[..., axis] * edge
            assert target["volume_mm"][0, axis] == edge * SPACING[axis]
            # a corner of the box is that of its outer voxel; the value is of the voxel's middle
            lines = images[:, 0].mean(dim=[i + 1 for i in range(3) if i != axis]) * 100
            assert torch.allclose(points[:, 1], lines[:, 0], atol=1e-3)
            assert torch.allclose(points[:, -1] - 1, lines[:, -1], atol=1e-3)
            assert torch.allclose(points[:, 0], lines.mean(dim=1) + 0.5, atol=1e-3)
            firsts.update(points[:, 1].round().tolist())
    assert len(firsts) > 2


def test_the_centre_is_the_mean_of_the_corners_and_nothing_lies_outside(points_of):
    found = points(points_of, [[-8, 3, 20], [72, 35, 84]], [64, 50, 90])
    assert torch.allclose(found[1:].mean(dim=0), found[0])
    assert found.min() == 0 and found.max() == 1 and found[0, 0] == 0.5


@pytest.mark.parametrize("name", ["", *TAKE_PART, "volume_fusion"])
def test_weight_0_leaves_every_object_as_it_is(scripts, name):
    parser = parser_of(name, 0)
    parts = parser.get_parsed_content("objective_parts")
    for part, key in zip(parts, ("network_def", "prepare_batch", "loss", "metrics"), strict=True):
        assert part is parser.get_parsed_content(key), key
    assert not any(key.startswith("position_head.") for key in parts.network.state_dict())


@pytest.mark.parametrize("name", REFUSED)
def test_turned_mirrored_and_mixed_crops_are_refused(scripts, refusal, name):
    objective = name or "rotation_contrast_inpainting"
    with refusal(rf"--position_weight 0\.5 does not go with the objective {objective}: it turns"):
        parts_of(name, 0.5)


def test_an_objective_that_does_not_say_so_is_refused(position, refusal):
    loss = position.NoLoss()
    with refusal("does not go with the objective mine: .* or does not say that it leaves them"):
        position.wrap("mine", nn.Linear(1, 1), print, loss, position.NoMetrics(loss), 1, SPACING)


def test_the_position_alone_with_weight_0_trains_nothing(scripts, refusal):
    with refusal("the objective position has no loss but that of the position; give a --position"):
        parts_of("position", 0)


@pytest.mark.parametrize("name", [*TAKE_PART, "position"])
def test_the_position_joins_an_objective_in_one_forward(scripts, base, name):
    """Every parameter learns, own outputs and inputs stay, the encoder runs once."""
    with_it = parts_of(name, 0.5)
    network, calls = with_it.network.train(), []
    network.swinViT.patch_embed.register_forward_hook(lambda *_: calls.append(1))
    inputs, target = with_it.prepare_batch(batch(), torch.device("cpu"))
    outputs = network(inputs)
    assert len(calls) == 1 and outputs["position"].shape == target["position"].shape == (4, 27)
    terms = with_it.loss.terms(outputs, target)
    loss = with_it.loss(outputs, target)
    if name != "position":
        without = parts_of(name, 0)
        own_inputs, own_target = without.prepare_batch(batch(), torch.device("cpu"))
        assert type(own_inputs) is type(inputs)
        own = without.network.train()(own_inputs)
        assert outputs.keys() - own.keys() == {"position"}
        assert target.keys() - own_target.keys() == {"position", "volume_mm"}
        assert all(torch.equal(outputs[key], value) for key, value in own.items())
        expected = without.loss(own, own_target) + 0.5 * terms["position_loss"]
        assert torch.allclose(loss, expected)
        images = batch()["image"].as_tensor()
        seen = [part.network.eval()(images) for part in (with_it, without)]
        assert torch.equal(*seen)
        network.train()
    loss.backward()
    assert len(calls) <= 2 and not network.swinViT.layers4[0]._forward_hooks
    learning = [p for p in network.parameters() if p.requires_grad]
    assert all(p.grad is not None for p in learning)
    for parameters in (network.swinViT.parameters(), network.position_head.parameters()):
        assert sum(p.grad.abs().sum() for p in parameters) > 0


def test_gradients_of_the_position_alone_reach_the_whole_encoder(scripts):
    parts = parts_of("masked", 1.0)
    inputs, target = parts.prepare_batch(batch(), torch.device("cpu"))
    outputs = parts.network.train()(inputs)
    parts.loss.terms(outputs, target)["position_loss"].backward()
    grads = {name: p.grad for name, p in parts.network.swinViT.named_parameters()}
    lacking = [name for name, grad in grads.items() if grad is None or not grad.any()]
    # a softmax over keys does not change when all of them do: no gradient but rounding
    assert not [name for name in lacking if not name.endswith("qkv.bias")]


def test_the_head_reads_what_the_encoder_returns_and_no_other_encoder(position, base, scripts):
    network = parts_of("distilled", 1.0).network.eval()
    image = batch()["image"].as_tensor()
    last = importlib.import_module("scripts.objectives.position.network").last_stage
    with last(network.swinViT) as stages, torch.no_grad():
        network.teacher(image)
        assert stages == []
        expected = base.encode(network.swinViT, image)[-1], network.swinViT(image)[-1]
    assert len(stages) == 2 and all(map(torch.equal, stages, expected))


def test_an_encoder_that_runs_in_chunks_gives_all_positions(position):
    class Chunked(nn.Module):
        def __init__(self):
            super().__init__()
            self.swinViT = SwinTransformer(1, 12, [4] * 3, [2] * 3, [1] * 4, [3, 6, 12, 24])

        def all_heads(self, image, chunk_size):
            return {"sum": sum(self.swinViT(part)[-1].sum() for part in image.split(chunk_size))}

    network, image = position.add_head(Chunked()).eval(), batch()["image"].as_tensor()
    whole, parts = (network.all_heads(image, chunk_size=size)["position"] for size in (4, 1))
    assert whole.shape == (4, 27) and torch.allclose(whole, parts, atol=1e-5)
    assert network.state_dict().keys() - Chunked().state_dict().keys() == {
        name for name in network.state_dict() if name.startswith("position_head.")
    }


def test_a_crop_is_told_alike_in_any_batch_and_in_training_as_in_evaluation(position):
    head, features = position.PositionHead(12), torch.rand(3, 12, 2, 1, 1)
    whole = head(features)
    assert whole.shape == (3, 27) and torch.allclose(head(features[1:2]), whole[1:2], atol=1e-6)
    assert torch.equal(head.eval()(features), whole)


@pytest.fixture
def metrics(position):
    loss = position.NoLoss()
    return position.PositionMetrics(position.NoMetrics(loss), position.PositionLoss(loss, 1.0))


@pytest.fixture
def target(position):
    prepare_batch = position.PositionBatch(position.LocatedCrops(), SPACING)
    return prepare_batch(batch(), torch.device("cpu"))[1]


def validated(metrics, position, target, sizes) -> dict[str, float]:
    """The metrics of an epoch whose batches have these sizes."""
    metrics.reset()
    parts = {key: value.split(sizes) for key, value in target.items()}
    for index, predicted in enumerate(position.split(sizes)):
        one = {key: value[index] for key, value in parts.items()}
        metrics.update(({"position": predicted}, one))
    return metrics.compute()


def test_what_a_validation_measures_of_the_objective_stays(scripts):
    """Beside the position, the smoothing that `disrupted` compares with is measured too."""
    parts = parts_of("disrupted", 1.0)
    crops = {name: value[:2] for name, value in batch().items()}
    _, target = parts.prepare_batch(crops, torch.device("cpu"))
    pred = {"reconstruction": target["disrupted"], "position": target["position"]}
    parts.metrics.reset()
    parts.metrics.update((pred, target))
    found = parts.metrics.compute()
    assert found["psnr_gain"] == 0 < found["psnr_gain_of_smoothing"]
    assert found["l1_of_smoothing"] < found["l1"] and found["position_r2"] == 1
    assert "psnr_gain_of_smoothing" not in parts.metrics({"pred": pred, "label": target})


def test_distances_are_in_mm_of_the_volume(metrics, target):
    assert target["volume_mm"].tolist() == [[256.0, 256.0, 256.0]] * 4
    shift = torch.tensor([3.0, 0.0, 4.0]).repeat(9) / 256
    found = metrics.of_crops({"position": target["position"] + shift}, target)
    assert torch.allclose(found["position_mm"], torch.full((4,), 5.0), atol=1e-3)
    centres = target["position"][:, :3]
    assert torch.allclose(found["position_mm_of_middle"], ((centres - 0.5) * 256).norm(dim=1))
    chance = metrics.chance_levels({"position": target["position"]}, target)
    assert chance["position_mm"] == found["position_mm_of_middle"].mean()


def test_r2_is_1_for_the_truth_and_0_for_the_mean_however_the_crops_are_batched(metrics, target):
    truth, mean = target["position"], target["position"].mean(dim=0).expand(4, -1)
    names = ["position_r2", *(f"position_r2_{axis}" for axis in "xyz")]
    for sizes in ([4], [3, 1], [1, 1, 1, 1]):
        found = validated(metrics, truth, target, sizes)
        assert [found[name] for name in names] == pytest.approx([1] * 4)
        found = validated(metrics, mean, target, sizes)
        assert [found[name] for name in names] == pytest.approx([0] * 4, abs=1e-6)
        assert {name: metrics.chance[name] for name in names} == dict.fromkeys(names, 0)
        assert metrics.chance["position_mm"] > 0
    half = validated(metrics, (truth + mean) / 2, target, [2, 2])
    assert half["position_r2"] == pytest.approx(0.75)
    shifted = truth + torch.tensor([0.0, 0.0, 0.2]).repeat(9)  # another field of view along z
    found = validated(metrics, shifted, target, [2, 2])
    assert [found[name] for name in names[1:3]] == pytest.approx([1, 1])
    assert found["position_r2_z"] < 0.5 < found["position_r2"]


def test_inference_leaves_out_the_head_and_nothing_else(scripts, refusal, tmp_path, caplog):
    weights = importlib.import_module("scripts.common.weights")
    trained, plain = parts_of("masked", 1.0).network, parts_of("masked", 0).network
    file = str(tmp_path / "model.pt")
    torch.save(trained.state_dict(), file)
    with caplog.at_level("INFO"):
        weights.load_weights(plain, file)
    assert "left out: 4 of the position head" in caplog.text
    state = trained.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in plain.state_dict().items())
    again = parts_of("masked", 1.0).network
    weights.load_weights(again, file)
    assert all(map(torch.equal, again.state_dict().values(), state.values()))
    torch.save({**state, "position_heads.weight": torch.zeros(1)}, file)
    with refusal(r"1 of 7\d tensors unknown \(such as position_heads.weight\)"):
        weights.load_weights(plain, file)
    torch.save(plain.state_dict(), file)
    with refusal(r"4 of 7\d tensors missing \(such as position_head"):
        weights.load_weights(again, file)


def test_three_crops_are_told_and_drawn_where_they_lie(position):
    """Of a volume that is padded along y; the network tells the truth but for one shift."""
    pictures = importlib.import_module("scripts.objectives.position.pictures")
    batches = importlib.import_module("scripts.objectives.position.batch")
    volume = torch.full((1, 64, 20, 48), 0.5)
    volume[:, 10:, 5] = 0  # air in the body is no padding
    padded = MetaTensor(nn.functional.pad(volume, (0, 0, 6, 6)), meta={"filename_or_obj": "a.nii"})
    boxes, frame = pictures.boxes_in(padded, [32] * 3)
    assert boxes[:, 0].tolist() == [[0, 0, 0], [16, 0, 8], [32, 0, 16]]
    assert frame.tolist() == [[0, 6, 0], [64, 26, 48]]
    truths = batches.points_of(boxes - frame[0], torch.tensor([[64, 20, 48]]))
    centres = torch.tensor([[0.25, 0.5, 1 / 3], [0.5, 0.5, 0.5], [0.75, 0.5, 2 / 3]])
    assert torch.allclose(truths[:, :3], centres)

    class Knows(nn.Module):
        def all_heads(self, crops):
            assert crops.shape == (3, 1, 32, 32, 32)
            return {"position": truths}

    told = position.LocateCrops([32] * 3)(padded[None], Knows())
    assert torch.equal(told[0], truths)
    draw = position.DrawBoxesd([32] * 3)
    exact = draw({"image": padded, "pred": told[0]})["picture"]
    assert exact.shape == (1, 48, 3 * 64) and exact.meta["filename_or_obj"] == "a.nii"
    expected = np.full((48, 64), 128)
    expected[16:, 32:] = 255  # the first crop: inferior and, in the picture, to the right
    expected[17:-1, 33:-1] = 128
    assert np.array_equal(exact[0, :, :64].numpy(), expected)
    shifted = told[0].clone().view(3, 9, 3)
    shifted[..., 2] += 8 / 48
    drawn = draw({"image": padded, "pred": shifted.flatten(1)})["picture"][0, :, :64].numpy()
    assert (drawn[expected == 255] == 255).all()
    extra = np.argwhere((drawn == 255) & (expected == 128))
    assert set(extra[:, 0]) <= set(range(8, 40)) and 8 in extra[:, 0] and 39 in extra[:, 0]
    assert 10 < sum(extra[:, 0] == 8) < 22  # dashed: about half of 32


def test_a_predicted_box_beyond_the_volume_is_drawn_at_its_edge(position):
    draw_box = importlib.import_module("scripts.objectives.position.pictures").draw_box
    plane = torch.zeros(5, 4)
    draw_box(plane, torch.tensor([[-3.0, 2.0], [9.0, 7.0]]), 1)
    assert plane[:, 2:].sum() == 10 and plane.sum() == 10
