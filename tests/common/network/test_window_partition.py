"""Windows of a stage as rectangles of its token grid."""

import pytest
import torch

from common.network import window_partition


def test_window_groups_cover_the_grid_once():
    for tokens in range(2, 30):
        for window in range(1, min(tokens, 8)):
            for shift in {0, window // 2}:
                grid = torch.zeros(1, tokens, tokens)
                for group in window_partition.window_groups(
                    (tokens,) * 2, (window,) * 2, (shift,) * 2
                ):
                    group.rectangles(grid).add_(1)
                assert grid.eq(1).all(), (tokens, window, shift)


def test_a_stage_has_few_groups():
    """48 tokens, windows of 7: whole, what is left at the edge, and the first 3 after a roll."""
    assert len(window_partition.window_groups((48,) * 3, (7,) * 3, (0,) * 3)) == 2**3
    assert len(window_partition.window_groups((48,) * 3, (7,) * 3, (3,) * 3)) == 3**3
    assert window_partition.axis_groups(48, 7, 3) == [
        (3, 6, 7, 0, 7),
        (45, 1, 3, 0, 4),
        (0, 1, 3, 4, 7),
    ]


@pytest.mark.parametrize(
    ("tokens", "window", "shift", "padding"),
    [(48, 7, 0, 1), (48, 7, 3, 1), (14, 7, 3, 0), (8, 4, 2, 0), (6, 6, 0, 0)],
)
def test_padding_is_that_of_the_grid(tokens, window, shift, padding):
    """Tokens that the roll brings behind the edge share its window, which needs less padding."""
    groups = window_partition.axis_groups(tokens, window, shift)
    padded = [(end - place - size) * count for _, count, size, place, end in groups]
    assert sum(padded) == padding == -tokens % window
