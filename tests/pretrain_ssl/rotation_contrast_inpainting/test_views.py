"""The two views: rotation about z, cutout, donors, and which draws are fixed."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

SHAPE = (16, 16, 8)


@pytest.fixture
def views(objective):
    return objective.views


def crops(count: int, epoch: int = 0) -> dict:
    """A batch as the data loader makes it; no two voxels are alike."""
    draws = torch.tensor([[epoch, index, 0] for index in range(count)])
    return {"image": MetaTensor(torch.rand(count, 1, *SHAPE)), "draw": draws}


def dropped_share(views, rng, shape, rate) -> float:
    boxes = views.draw_boxes(rng, shape, rate)
    return views.dropped_voxels([boxes], shape, "cpu").float().mean().item()


def box_view(views, turns=0, donor=0, noise_seed=0):
    return views.View(turns, np.array([[[2, 3, 1], [6, 9, 4]]]), donor, noise_seed)


def within_the_box() -> torch.Tensor:
    dropped = torch.zeros(SHAPE, dtype=torch.bool)
    dropped[2:6, 3:9, 1:4] = True
    return dropped


@pytest.mark.parametrize("turns", range(4))
def test_turning_back_by_the_label_restores_the_volume(views, turns):
    images = torch.rand(2, 1, *SHAPE)
    turned = views.rotate(images, [turns, (turns + 1) % 4])
    back = [turned[0].rot90(-turns, (1, 2)), turned[1].rot90(-turns - 1, (1, 2))]
    assert torch.equal(torch.stack(back), images)


@pytest.mark.parametrize("turns, place", [(0, (4, 2)), (1, (2, 4)), (2, (0, 2)), (3, (2, 0))])
def test_rotation_is_about_z_from_x_towards_y(views, turns, place):
    image = torch.zeros(1, 1, 5, 5, 3)
    image[0, 0, 4, 2, 1] = 1  # on the +x axis seen from the centre
    assert views.rotate(image, [turns]).nonzero().tolist() == [[0, 0, *place, 1]]


@pytest.mark.parametrize("shape", [(64, 64, 32), (48, 40, 24), (32, 32, 32)])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.6])
def test_dropped_share_is_the_rate_and_less_than_one_box_more(views, shape, rate):
    for seed in range(12):
        share = dropped_share(views, np.random.default_rng(seed), shape, rate)
        assert rate <= share < rate + 0.016


def test_nothing_is_dropped_at_rate_zero(views):
    assert dropped_share(views, np.random.default_rng(0), SHAPE, 0.0) == 0


def test_a_box_has_5_to_25_percent_of_each_edge(views):
    shape = np.array([100, 80, 40])
    for seed in range(50):
        (first, end) = views.draw_boxes(np.random.default_rng(seed), shape, 1e-9)[0]
        assert (end - first >= 0.05 * shape).all() and (end - first <= 0.25 * shape).all()
        assert (first >= 0).all() and (end <= shape).all()


def test_boxes_reach_every_border(views):
    drawn = [views.draw_boxes(np.random.default_rng(seed), (20,) * 3, 0.3) for seed in range(40)]
    assert (np.concatenate(drawn)[:, 0].min(axis=0) == 0).all()
    assert (np.concatenate(drawn)[:, 1].max(axis=0) == 20).all()


def test_dropped_voxels_are_those_in_any_box_of_their_own_view(views):
    rng = np.random.default_rng(0)
    boxes = [views.draw_boxes(rng, SHAPE, rate) for rate in (0.3, 0.0, 0.6)]
    expected = np.zeros((3, *SHAPE), dtype=bool)
    for number, of_view in enumerate(boxes):
        for (x0, y0, z0), (x1, y1, z1) in of_view:
            expected[number, x0:x1, y0:y1, z0:z1] = True
    found = views.dropped_voxels(boxes, SHAPE, "cpu")
    assert np.array_equal(found.numpy(), expected)


def test_a_seed_decides_the_whole_draw(views):
    def draw(seed):
        view = views.draw_view(np.random.default_rng(seed), SHAPE, 0.3, 0, 4)
        return view.turns, view.donor, view.noise_seed, view.boxes.tobytes()

    assert draw(3) == draw(3)
    assert len({draw(seed) for seed in range(20)}) == 20


def test_turns_are_uniform_and_half_of_the_views_are_filled_with_noise(views):
    rng = np.random.default_rng(0)
    drawn = [views.draw_view(rng, (4, 4, 4), 0.0, 2, 4) for _ in range(4000)]
    turns = np.bincount([view.turns for view in drawn]) / len(drawn)
    donors = np.bincount([view.donor for view in drawn]) / len(drawn)
    assert np.allclose(turns, 1 / 4, atol=0.03)
    assert np.allclose(donors, [1 / 8, 1 / 8, 5 / 8, 1 / 8], atol=0.03)  # 1/2 + 1/8 are its own


def test_donors_come_from_the_crops_group_of_four(views):
    def donors(index, batch):
        rng = np.random.default_rng(0)
        drawn = [views.draw_view(rng, (4, 4, 4), 0.0, index, batch) for _ in range(200)]
        return {view.donor for view in drawn}

    assert donors(2, 8) == {0, 1, 2, 3} and donors(5, 8) == {4, 5, 6, 7}
    assert donors(4, 6) == {4, 5} and donors(0, 1) == {0}


def test_donor_fills_exactly_the_dropped_voxels_from_the_same_place(views):
    images, donors, dropped = torch.rand(2, 1, *SHAPE), torch.rand(2, 1, *SHAPE), within_the_box()
    corrupted = views.corrupt(images, [box_view(views, donor=n) for n in (1, 0)], donors)
    assert torch.equal(corrupted[0, :, dropped], donors[1, :, dropped])
    assert torch.equal(corrupted[1, :, dropped], donors[0, :, dropped])
    assert torch.equal(corrupted[:, :, ~dropped], images[:, :, ~dropped])


def test_noise_fills_exactly_the_dropped_voxels_with_values_from_0_to_1(views):
    images, dropped = torch.full((1, 1, *SHAPE), 7.0), within_the_box()
    corrupted = views.corrupt(images, [box_view(views)], images)
    assert torch.equal(corrupted[0, 0] < 7, dropped)
    noise = corrupted[0, 0][dropped]
    assert noise.min() >= 0 and noise.max() <= 1 and noise.std() > 0.2


def test_noise_follows_its_seed_alone(views):
    def noise(seed):
        images = torch.zeros(1, 1, *SHAPE)
        return views.corrupt(images, [box_view(views, noise_seed=seed)], images)

    first = noise(5)
    torch.rand(10)
    assert torch.equal(first, noise(5))
    assert not torch.equal(first, noise(6))


def test_donors_are_the_original_crops_neither_corrupted_nor_turned(views):
    images, dropped = torch.rand(2, 1, *SHAPE), within_the_box()
    both = [box_view(views, turns=1, donor=1), box_view(views, turns=2, donor=0)]
    corrupted, _ = views.apply_views(images, both)
    assert torch.equal(corrupted[0, :, dropped], images[1, :, dropped])
    assert torch.equal(corrupted[1, :, dropped], images[0, :, dropped])


def test_own_index_as_donor_means_noise(views):
    images, dropped = torch.zeros(2, 1, *SHAPE), within_the_box()
    corrupted, _ = views.apply_views(images, [box_view(views, donor=0), box_view(views, donor=0)])
    assert corrupted[0, 0][dropped].std() > 0.2
    assert not corrupted[1].any()
    assert not images.any()


def test_first_views_of_all_crops_come_before_their_second_views(views):
    batch = crops(3)
    inputs, targets = views.TwoViews(drop_rate=0.0, seed=0)(batch)
    turned_back = [
        torch.rot90(view, -int(turns), dims=(1, 2))
        for view, turns in zip(inputs, targets["rotation"])
    ]
    assert torch.equal(torch.stack(turned_back), batch["image"].as_tensor().repeat(2, 1, 1, 1, 1))


def test_targets_are_the_turned_crops_before_corruption(views):
    batch = crops(3)
    inputs, targets = views.TwoViews(drop_rate=0.3, seed=0)(batch)
    turned = [
        torch.rot90(image, int(turns), dims=(1, 2))
        for image, turns in zip(
            batch["image"].as_tensor().repeat(2, 1, 1, 1, 1), targets["rotation"]
        )
    ]
    assert torch.equal(targets["reconstruction"], torch.stack(turned))
    changed = (inputs != targets["reconstruction"]).float().mean(dim=(1, 2, 3, 4))
    assert ((changed >= 0.3) & (changed < 0.316)).all()


def test_types_are_those_the_losses_take(views):
    inputs, targets = views.TwoViews(drop_rate=0.3, seed=0)(crops(2), device=torch.device("cpu"))
    assert inputs.shape == targets["reconstruction"].shape == (4, 1, *SHAPE)
    assert targets["rotation"].dtype == torch.int64
    assert not isinstance(inputs, MetaTensor)


def test_batch_itself_stays_as_it_was(views):
    batch = crops(2)
    before = batch["image"].clone()
    views.TwoViews(drop_rate=0.3, seed=0)(batch)
    assert torch.equal(batch["image"], before)


def test_crops_that_cannot_be_turned_about_z_are_refused(views, refusal):
    batch = crops(1) | {"image": MetaTensor(torch.zeros(1, 1, 16, 8, 16))}
    with refusal(r"patch_size \[16, 8, 16\]"):
        views.TwoViews(drop_rate=0.3, seed=0)(batch)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 30])
def test_dropping_everything_is_refused(views, refusal, rate):
    with refusal("drop_rate"):
        views.TwoViews(rate, seed=0)


def test_the_same_draw_gives_the_same_views(views):
    prepare, batch = views.TwoViews(drop_rate=0.3, seed=0), crops(4)
    first, second = prepare(batch), prepare(batch)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1]["rotation"], second[1]["rotation"])


def test_views_differ_between_epochs_crops_seeds_and_the_two_views(views):
    image, seen = MetaTensor(torch.zeros(1, 1, *SHAPE)), []
    for seed in range(2):
        for draw in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]:
            batch = {"image": image, "draw": torch.tensor([draw])}
            seen += [view.numpy().tobytes() for view in views.TwoViews(0.3, seed)(batch)[0]]
    assert len(set(seen)) == 16


def test_views_do_not_depend_on_how_a_batch_is_spread_over_processes(views):
    prepare, batch = views.TwoViews(drop_rate=0.3, seed=0), crops(8)
    whole = prepare(batch)[0].unflatten(0, (2, 8))
    parts = [{key: value[at : at + 4] for key, value in batch.items()} for at in (0, 4)]
    halves = [prepare(part)[0].unflatten(0, (2, 4)) for part in parts]
    assert torch.equal(torch.cat(halves, dim=1), whole)


@pytest.mark.parametrize("size", [6, 8])  # a group of four reaches over the halves, or none does
def test_views_are_the_same_where_a_group_reaches_over_two_processes(
    objective, views, monkeypatch, size
):
    prepare, batch, half = views.TwoViews(drop_rate=0.3, seed=0), crops(size), size // 2
    whole = prepare(batch)[0].unflatten(0, (2, size))
    monkeypatch.setattr(objective.donors, "gathered", lambda images: batch["image"].as_tensor())
    batch["place"] = torch.tensor([[index, size] for index in range(size)])
    parts = [{key: value[at : at + half] for key, value in batch.items()} for at in (0, half)]
    halves = [prepare(part)[0].unflatten(0, (2, half)) for part in parts]
    assert torch.equal(torch.cat(halves, dim=1), whole)


def test_cutout_takes_the_same_boxes_from_a_volume_every_time(views):
    data, cutout = {"image": torch.rand(1, *SHAPE)}, views.Cutoutd("image", 0.3, seed=1)
    assert torch.equal(cutout(data)["image"], cutout(data)["image"])


def test_cutout_leaves_everything_outside_its_boxes(views):
    image = torch.full((1, *SHAPE), 7.0)
    corrupted = views.Cutoutd("image", 0.3, seed=1)({"image": image})["image"]
    assert 0.3 <= (corrupted != 7).float().mean() < 0.316
    assert (image == 7).all()


def test_cutout_keeps_what_is_needed_to_invert_the_preprocessing(views):
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))
    image = MetaTensor(torch.rand(1, *SHAPE), affine=affine)
    corrupted = views.Cutoutd("image", 0.3, seed=1)({"image": image})["image"]
    assert torch.equal(corrupted.affine, affine)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_gpu_turns_and_cuts_as_a_cpu_does(views):
    prepare, batch = views.TwoViews(drop_rate=0.3, seed=0), crops(8)
    inputs, targets = prepare(batch)
    found, of_gpu = prepare(batch, device="cuda")
    assert torch.equal(of_gpu["reconstruction"].cpu(), targets["reconstruction"])
    changed = found.cpu() != targets["reconstruction"]
    assert torch.equal(changed, inputs != targets["reconstruction"])  # the noise itself may differ
