"""Blocks of a fusion, and voxels that are exactly those of one crop or the other."""

import numpy as np
import pytest
import torch

SHAPES = [(96, 96, 96), (64, 64, 32)]
K = 4


def drawn(fusion, settings, seed: int, shape: tuple):
    return fusion.fusion.draw_blocks(np.random.default_rng(seed), shape, shape, settings)


@pytest.fixture
def crops() -> tuple[torch.Tensor, torch.Tensor]:
    """Foreground and background, equal at some voxels."""
    foreground, background = torch.rand(2, 1, 64, 64, 32)
    background[:, ::3] = foreground[:, ::3]
    return foreground, background


@pytest.fixture
def labels(fusion, settings) -> torch.Tensor:
    blocks = drawn(fusion, settings, seed=0, shape=(64, 64, 32))
    return fusion.fusion.label_map(blocks, (64, 64, 32))[None]


@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_have_the_sources_edges_offsets_and_share(fusion, settings, shape):
    all_edges, levels = [], []
    for seed in range(300):
        blocks = drawn(fusion, settings, seed, shape)
        all_edges.append(blocks.edges)
        assert all(0 <= o <= n % e for o, n, e in zip(blocks.offset, shape, blocks.edges))
        assert blocks.levels.shape == tuple(n // e for n, e in zip(shape, blocks.edges))
        assert np.count_nonzero(blocks.levels) == int(0.7 * blocks.levels.size)
        levels += blocks.levels[blocks.levels > 0].tolist()
    smallest, largest = np.min(all_edges, axis=0), np.max(all_edges, axis=0)
    assert smallest.tolist() == [n // 12 for n in shape]  # 8 to 32 of 96 voxels
    assert largest.tolist() == [n // 3 for n in shape]
    shares = np.bincount(levels, minlength=5) / len(levels)
    assert shares[0] == 0 and np.abs(shares[1:] - 0.25).max() < 0.02


def test_each_block_is_one_level_and_the_margin_is_background(fusion, settings):
    shape, seen_margin = (64, 64, 32), 0
    for seed in range(30):
        blocks = drawn(fusion, settings, seed, shape)
        expected = torch.zeros(shape, dtype=torch.uint8)
        for place, level in np.ndenumerate(blocks.levels):
            first = blocks.offset + np.array(place) * blocks.edges
            box = tuple(slice(a, a + n) for a, n in zip(first, blocks.edges))
            expected[box] = int(level)
        assert torch.equal(fusion.fusion.label_map(blocks, shape), expected)
        seen_margin += bool(np.any(blocks.offset))
    assert seen_margin > 0


def test_level_0_is_the_background_and_the_last_the_foreground_bit_for_bit(fusion, crops, labels):
    foreground, background = crops
    fused = fusion.fusion.fuse(foreground, background, labels, K)
    assert set(labels.unique().tolist()) == {0, 1, 2, 3, 4}
    assert torch.equal(fused[labels == 0], background[labels == 0])
    assert torch.equal(fused[labels == K], foreground[labels == K])


def test_the_shares_are_quarters(fusion, labels):
    ones, zeros = torch.ones(1, 64, 64, 32), torch.zeros(1, 64, 64, 32)
    fused = fusion.fusion.fuse(ones, zeros, labels, K)
    assert fused.unique().tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_the_level_can_be_computed_back_where_the_crops_differ(fusion, crops, labels):
    foreground, background = crops
    fused = fusion.fusion.fuse(foreground, background, labels, K)
    differs = (foreground - background).abs() > 1e-5
    share = (fused - background)[differs] / (foreground - background)[differs]
    assert 0.5 < differs.float().mean() < 1
    assert torch.equal((K * share).round(), labels[differs].float())


def test_equal_crops_stay_as_they_are(fusion, crops, labels):
    assert torch.equal(fusion.fusion.fuse(crops[0], crops[0], labels, K), crops[0])


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((0, 0.7, [3, 12]), "with 0 levels: give 1 to 255"),
        ((4, 0.7, [12, 3]), r"blocks_per_axis \[12, 3\]: give two numbers from 1"),
        ((4, 0.01, [3, 12]), "foreground_ratio 0.01: give a share from 0.037, one of 27 blocks"),
        ((4, 1.5, [3, 12]), "foreground_ratio 1.5"),
    ],
)
def test_numbers_that_make_no_fusion_are_refused(fusion, refusal, numbers, words):
    with refusal(words):
        fusion.FusionSettings(*numbers)
