"""Ensembles and flips against the mean of softmax computed plainly."""

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SimpleInferer, SlidingWindowInferer
from torch import nn

from common.inference import ensemble, sliding_window

WINDOW = (16, 16, 16)


@pytest.fixture
def inferer():
    """Windows of 16 voxels, whose scores depend on where in the window a voxel lies."""
    return sliding_window.BodyWindowInferer(WINDOW)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layers = [nn.Conv3d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv3d(4, 3, 3, padding=1)]
    parts = {"swinViT": nn.Sequential(*layers), "norm": nn.InstanceNorm3d(3)}  # names that count
    return nn.Sequential(OrderedDict(parts))


def saved(folder: Path, seeds: range) -> list[str]:
    """Weights of `network(seed)` in files."""
    paths = [str(folder / f"fold{seed}/best.pt") for seed in seeds]
    for seed, path in zip(seeds, paths):
        Path(path).parent.mkdir(parents=True)
        torch.save(network(seed).state_dict(), path)
    return paths


VOLUME = torch.rand(1, 1, 20, 24, 17, generator=torch.Generator().manual_seed(1))


def plain(seed: int, volume: torch.Tensor = VOLUME) -> torch.Tensor:
    """Probabilities of one member, by MONAI's inferer."""
    with torch.no_grad():
        inferer = SlidingWindowInferer(WINDOW, overlap=0.5, mode="gaussian")
        return inferer(volume, network(seed)).softmax(1)


def test_an_ensemble_is_the_mean_of_its_members_probabilities(inferer, tmp_path, caplog):
    caplog.set_level("INFO")
    ours = ensemble.EnsembleInferer(inferer)
    ours.load(network(7), saved(tmp_path, range(3)))
    assert "ensemble of 3 networks" in caplog.text
    expected = torch.stack([plain(seed) for seed in range(3)]).mean(0)
    for _ in range(2):  # the second volume does not begin with what the first left in the network
        torch.testing.assert_close(ours(VOLUME, network(7)).softmax(1), expected)


def test_a_compiled_network_runs_every_members_weights(inferer, tmp_path):
    ours, compiled = ensemble.EnsembleInferer(inferer), network(7)
    compiled.compile(backend="aot_eager", dynamic=False)
    ours.load(compiled, saved(tmp_path, range(2)))
    expected = torch.stack([plain(seed) for seed in range(2)]).mean(0)
    torch.testing.assert_close(ours(VOLUME, compiled).softmax(1), expected)


def test_a_single_member_is_loaded_and_gives_the_inferers_own_scores(inferer, tmp_path):
    ours, target = ensemble.EnsembleInferer(inferer), network(7)
    ours.load(target, saved(tmp_path, range(1))[0])
    assert not ours.members
    assert torch.equal(ours(VOLUME, target), inferer(VOLUME, network(0)))


def test_without_members_the_given_network_runs(inferer):
    ours = ensemble.EnsembleInferer(inferer)
    assert torch.equal(ours(VOLUME, network(3)), inferer(VOLUME, network(3)))


@pytest.mark.parametrize("axes", [[0], [2, 0], [0, 1, 2]])
def test_flips_are_the_mean_over_all_their_combinations(inferer, tmp_path, axes):
    ours = ensemble.EnsembleInferer(inferer, flip_axes=axes)
    ours.load(network(7), saved(tmp_path, range(2)))
    means = []
    for number in range(2 ** len(axes)):
        flip = [2 + axis for bit, axis in enumerate(axes) if number >> bit & 1]
        means += [plain(seed, VOLUME.flip(flip)).flip(flip) for seed in range(2)]
    assert len(means) == 2 * 2 ** len(axes)
    expected = torch.stack(means).mean(0)
    torch.testing.assert_close(ours(VOLUME, network(7)).softmax(1), expected)


def test_certainty_stays_finite():
    scores = torch.tensor([300.0, 0.0, -300.0]).view(1, 3, 1, 1, 1).expand(1, 3, 2, 2, 2).clone()
    ours = ensemble.EnsembleInferer(SimpleInferer(), flip_axes=[0])
    made = ours(scores, lambda volume: volume.clone())
    assert made.isfinite().all()
    assert made.softmax(1)[0, :, 0, 0, 0].tolist() == pytest.approx([1, 0, 0])


def test_metadata_goes_along(inferer):
    volume = MetaTensor(VOLUME, meta={"filename_or_obj": "ct.nii.gz"})
    ours = ensemble.EnsembleInferer(inferer, flip_axes=[1])
    assert ours(volume, network()).meta["filename_or_obj"] == "ct.nii.gz"


def test_autocast_does_not_keep_the_first_members_weights(inferer, tmp_path):
    paths = saved(tmp_path, range(2))
    both, first = (ensemble.EnsembleInferer(inferer) for _ in range(2))
    both.load(network(7), paths)
    first.load(network(7), [paths[0], paths[0]])
    with torch.autocast("cpu", torch.bfloat16):
        expected = torch.stack([inferer(VOLUME, network(n)).softmax(1) for n in range(2)]).mean(0)
        made = both(VOLUME, network(7)).softmax(1)
        assert (first(VOLUME, network(7)).softmax(1) - expected).abs().max() > 0.1
    torch.testing.assert_close(made, expected, rtol=1e-3, atol=1e-3)


def test_a_pattern_is_expanded_in_sorted_order(tmp_path):
    paths = saved(tmp_path, range(3))
    assert ensemble.member_paths(str(tmp_path / "fold*/best.pt")) == paths
    assert ensemble.member_paths([paths[2], str(tmp_path / "fold[01]/best.pt")]) == [
        paths[2],
        *paths[:2],
    ]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path):
    path = tmp_path / "model[1].pt"
    path.touch()
    assert ensemble.member_paths(str(path)) == [str(path)]


def test_unusable_members_are_refused(inferer, refusal, tmp_path):
    ours, paths = ensemble.EnsembleInferer(inferer), saved(tmp_path, range(2))
    with refusal("no weights match .*none.*pt; check --ckpt_path"):
        ours.load(network(), str(tmp_path / "none*.pt"))
    with refusal("empty list"):
        ours.load(network(), [])
    with refusal("fold9.pt do not exist"):
        ours.load(network(), [*paths, str(tmp_path / "fold9.pt")])
    torch.save({"swinViT.0.weight": torch.ones(4, 1, 3, 3, 3)}, paths[1])
    with refusal("fold1/best.pt does not fit this network: "):
        ours.load(network(), paths)


def test_axes_that_do_not_exist_are_refused(inferer, refusal):
    with refusal(r"--flip_axes \[0, 3\] names no axes"):
        ensemble.EnsembleInferer(inferer, flip_axes=[0, 3])
