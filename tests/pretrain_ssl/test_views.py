"""The two views: rotation about z, cutout, donors, and which draws are fixed."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

SHAPE = (16, 16, 8)


@pytest.fixture
def views(scripts):
    return scripts.views


def crops(count: int, first_index: int = 0) -> dict:
    """A batch as the data loader makes it; no two voxels are alike."""
    image = MetaTensor(torch.rand(count, 1, *SHAPE))
    return {"image": image, "index": torch.arange(first_index, first_index + count)}


def box_view(views, turns=0, donor=0, noise_seed=0):
    dropped = np.zeros(SHAPE, dtype=bool)
    dropped[2:6, 3:9, 1:4] = True
    return views.View(turns, dropped, donor, noise_seed)


@pytest.mark.parametrize("turns", range(4))
def test_turning_back_by_the_label_restores_the_volume(views, turns):
    image = torch.rand(2, *SHAPE)
    assert torch.equal(torch.rot90(views.rotate(image, turns), -turns, dims=(1, 2)), image)


@pytest.mark.parametrize("turns, place", [(0, (4, 2)), (1, (2, 4)), (2, (0, 2)), (3, (2, 0))])
def test_rotation_is_about_z_from_x_towards_y(views, turns, place):
    image = torch.zeros(1, 5, 5, 3)
    image[0, 4, 2, 1] = 1  # on the +x axis seen from the centre
    assert views.rotate(image, turns).nonzero().tolist() == [[0, *place, 1]]


@pytest.mark.parametrize("shape", [(64, 64, 32), (48, 40, 24), (32, 32, 32)])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.6])
def test_dropped_share_is_the_rate_and_less_than_one_box_more(views, shape, rate):
    for seed in range(12):
        share = views.draw_dropped(np.random.default_rng(seed), shape, rate).mean()
        assert rate <= share < rate + 0.016


def test_nothing_is_dropped_at_rate_zero(views):
    assert not views.draw_dropped(np.random.default_rng(0), SHAPE, 0.0).any()


def test_a_dropped_region_is_a_box_of_5_to_25_percent_of_each_edge(views):
    shape = np.array([100, 80, 40])
    for seed in range(50):
        places = np.argwhere(views.draw_dropped(np.random.default_rng(seed), shape, 1e-9))
        edges = np.ptp(places, axis=0) + 1
        assert len(places) == edges.prod()
        assert (edges >= 0.05 * shape).all() and (edges <= 0.25 * shape).all()


def test_boxes_reach_every_border(views):
    places = np.zeros((20, 20, 20), dtype=bool)
    for seed in range(40):
        places |= views.draw_dropped(np.random.default_rng(seed), places.shape, 0.3)
    assert all(np.take(places, end, axis).any() for axis in range(3) for end in (0, -1))


def test_a_seed_decides_the_whole_draw(views):
    def draw(seed):
        view = views.draw_view(np.random.default_rng(seed), SHAPE, 0.3, 0, 4)
        return view.turns, view.donor, view.noise_seed, view.dropped.tobytes()

    assert draw(3) == draw(3)
    assert len({draw(seed) for seed in range(20)}) == 20


def test_turns_are_uniform_and_half_of_the_views_are_filled_with_noise(views):
    rng = np.random.default_rng(0)
    drawn = [views.draw_view(rng, (4, 4, 4), 0.0, 2, 4) for _ in range(4000)]
    turns = np.bincount([view.turns for view in drawn]) / len(drawn)
    donors = np.bincount([view.donor for view in drawn]) / len(drawn)
    assert np.allclose(turns, 1 / 4, atol=0.03)
    assert np.allclose(donors, [1 / 8, 1 / 8, 5 / 8, 1 / 8], atol=0.03)  # 1/2 + 1/8 are its own


def test_donor_fills_exactly_the_dropped_voxels_from_the_same_place(views):
    image, donor, view = torch.rand(1, *SHAPE), torch.rand(1, *SHAPE), box_view(views)
    corrupted, dropped = views.corrupt(image, view, donor), torch.from_numpy(view.dropped)
    assert torch.equal(corrupted[:, dropped], donor[:, dropped])
    assert torch.equal(corrupted[:, ~dropped], image[:, ~dropped])


def test_noise_fills_exactly_the_dropped_voxels_with_values_from_0_to_1(views):
    view = box_view(views)
    corrupted = views.corrupt(torch.full((1, *SHAPE), 7.0), view, donor=None)
    assert torch.equal(corrupted[0] < 7, torch.from_numpy(view.dropped))
    noise = corrupted[0][torch.from_numpy(view.dropped)]
    assert noise.min() >= 0 and noise.max() <= 1 and noise.std() > 0.2


def test_noise_follows_its_seed_alone(views):
    image = torch.zeros(1, *SHAPE)
    first = views.corrupt(image, box_view(views, noise_seed=5), None)
    torch.rand(10)
    assert torch.equal(first, views.corrupt(image, box_view(views, noise_seed=5), None))
    assert not torch.equal(first, views.corrupt(image, box_view(views, noise_seed=6), None))


def test_donors_are_the_original_crops_neither_corrupted_nor_turned(views):
    images, dropped = torch.rand(2, 1, *SHAPE), torch.from_numpy(box_view(views).dropped)
    both = [box_view(views, turns=1, donor=1), box_view(views, turns=2, donor=0)]
    corrupted, _ = views.apply_views(images, both)
    assert torch.equal(corrupted[0, :, dropped], images[1, :, dropped])
    assert torch.equal(corrupted[1, :, dropped], images[0, :, dropped])


def test_own_index_as_donor_means_noise(views):
    images, dropped = torch.zeros(2, 1, *SHAPE), torch.from_numpy(box_view(views).dropped)
    corrupted, _ = views.apply_views(images, [box_view(views, donor=0), box_view(views, donor=0)])
    assert corrupted[0, 0][dropped].std() > 0.2
    assert not corrupted[1].any()


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


def test_crops_that_cannot_be_turned_about_z_are_refused(scripts):
    batch = {"image": MetaTensor(torch.zeros(1, 1, 16, 8, 16)), "index": torch.tensor([0])}
    with pytest.raises(scripts.command_line.InputError, match=r"patch_size \[16, 8, 16\]"):
        scripts.views.TwoViews(drop_rate=0.3, seed=0)(batch)


def test_validation_sees_the_same_views_in_every_pass(views):
    prepare, batch = views.TwoViews(drop_rate=0.3, seed=0, is_fixed=True), crops(4)
    first, second = prepare(batch), prepare(batch)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1]["rotation"], second[1]["rotation"])


def test_fixed_views_differ_between_indices_and_between_the_two_views(views):
    batch = {"image": MetaTensor(torch.zeros(1, 1, *SHAPE)), "index": torch.tensor([0])}
    prepare = views.TwoViews(drop_rate=0.3, seed=0, is_fixed=True)
    seen = []
    for index in range(4):
        inputs, _ = prepare(batch | {"index": torch.tensor([index])})
        seen += [view.numpy().tobytes() for view in inputs]
    assert len(set(seen)) == 8


def test_fixed_rotation_belongs_to_the_crop_whatever_its_place_in_the_batch(views):
    prepare, batch = views.TwoViews(drop_rate=0.0, seed=0, is_fixed=True), crops(8)
    backwards = {"image": batch["image"].flip(0), "index": batch["index"].flip(0)}
    turns = prepare(batch)[1]["rotation"].view(2, 8)
    assert torch.equal(prepare(backwards)[1]["rotation"].view(2, 8).flip(1), turns)
    assert len(turns.unique()) > 1


def test_training_draws_anew_at_every_call(views):
    prepare, batch = views.TwoViews(drop_rate=0.3, seed=0), crops(4)
    assert not torch.equal(prepare(batch)[0], prepare(batch)[0])


def test_training_draws_follow_seed_and_rank(views):
    batch = crops(4)
    draw = SimpleNamespace(
        rank_0=views.TwoViews(0.3, seed=[7, 0])(batch)[0],
        again=views.TwoViews(0.3, seed=[7, 0])(batch)[0],
        rank_1=views.TwoViews(0.3, seed=[7, 1])(batch)[0],
    )
    assert torch.equal(draw.rank_0, draw.again)
    assert not torch.equal(draw.rank_0, draw.rank_1)


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
