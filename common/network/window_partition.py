"""Partitions a token grid into a Swin stage's windows: no padding, no roll, no mask.

MONAI pads the grid to whole windows, rolls the grid, and masks tokens that were no neighbours
before the roll (a score of -100 between them). Along each axis that leaves few different windows: a
whole one, or the part that the edge of the grid leaves of one. A group is one combination of these,
and all its rectangles are one strided view of the grid.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from torch import Tensor


@dataclass(frozen=True)
class WindowGroup:
    """Describes equal rectangles of the token grid: real tokens of a window or of a part of one.

    Args (one number for each axis):
        starts, counts, sizes: the first rectangle's first token, how many rectangles follow each
            other, and their edge in tokens.
        places: the first token's place in its window.
        ends: where in the window the rectangle ends, the padding behind its tokens included.

    48 tokens, a window of 7 and no shift make, along one axis, whole windows (starts 0, counts 6,
    sizes 7, places 0, ends 7) and the rest (starts 42, counts 1, sizes 6, places 0, ends 7).
    """

    starts: tuple[int, ...]
    counts: tuple[int, ...]
    sizes: tuple[int, ...]
    places: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def is_padded(self) -> bool:
        """Tells whether padding follows the tokens along any axis."""
        return any(p + s < e for p, s, e in zip(self.places, self.sizes, self.ends))

    def rectangles(self, grid: Tensor) -> Tensor:
        """Views (B, X, Y, …) as (B, windows along x, y, …, tokens along x, y, …, rest)."""
        axes = len(self.sizes)
        for axis, (start, count, size) in enumerate(zip(self.starts, self.counts, self.sizes)):
            grid = grid.narrow(1 + 2 * axis, start, count * size)
            grid = grid.unflatten(1 + 2 * axis, (count, size))
        windows, tokens = range(1, 1 + 2 * axes, 2), range(2, 2 + 2 * axes, 2)
        return grid.permute(0, *windows, *tokens, *range(1 + 2 * axes, grid.dim()))


@lru_cache(maxsize=256)
def window_groups(
    grid: tuple[int, ...], window: tuple[int, ...], shift: tuple[int, ...]
) -> tuple[WindowGroup, ...]:
    """Lists the groups of a stage, which cover its grid once.

    Args:
        grid: tokens along each axis, such as (48, 48, 48).
        window, shift: as `get_window_size` clips them to the grid, such as (7, 7, 7), (3, 3, 3).
    """
    return tuple(
        WindowGroup(*zip(*axes)) for axes in product(*map(axis_groups, grid, window, shift))
    )


def axis_groups(tokens: int, window: int, shift: int) -> list[tuple[int, int, int, int, int]]:
    """Lists groups along one axis: first token, count, tokens each, place in the window, end.

    After the roll by `shift`, whole windows come first, then the edge of the grid with the padding
    behind it, and at last the first `shift` tokens, which the mask keeps apart from that edge.
    """
    whole, edge = divmod(tokens - shift, window)
    groups = [(shift, whole, window, 0, window)] if whole else []
    if edge:
        shares_window = shift > 0 and edge + shift <= window
        groups.append((tokens - edge, 1, edge, 0, window - shift if shares_window else window))
    if shift:
        groups.append((0, 1, shift, window - shift, window))
    return groups
