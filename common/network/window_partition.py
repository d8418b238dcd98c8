"""Windows of a Swin stage as rectangles of its token grid: no padding, no roll, no mask.

MONAI pads the grid to whole windows, rolls it, and masks what were no neighbours before the roll
(a score of -100 between them). Along each axis that leaves few different windows: a whole one, or
what the edge of the grid cuts from one. A form is one combination of these, and all its rectangles
are one strided view of the grid.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from torch import Tensor


@dataclass(frozen=True)
class WindowGroup:
    """Equal rectangles of the token grid, each the real tokens of one window or of a part of one.

    Args (one number for each axis):
        starts, counts, sizes: the first rectangle's first token, how many rectangles follow each
            other, and their edge in tokens.
        places: the first token's place in its window.
        ends: where in the window the rectangle ends, the padding behind its tokens included.
    """

    starts: tuple[int, ...]
    counts: tuple[int, ...]
    sizes: tuple[int, ...]
    places: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def is_padded(self) -> bool:
        return any(p + s < e for p, s, e in zip(self.places, self.sizes, self.ends))

    def rectangles(self, grid: Tensor) -> Tensor:
        """View of (B, X, Y, …) as (B, windows along x, y, …, tokens along x, y, …, rest)."""
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
    """Every form of a stage.

    Args:
        grid: tokens along each axis.
        window, shift: as `get_window_size` clips them to the grid.
    """
    return tuple(
        WindowGroup(*zip(*axes)) for axes in product(*map(axis_forms, grid, window, shift))
    )


def axis_forms(tokens: int, window: int, shift: int) -> list[tuple[int, int, int, int, int]]:
    """Forms along one axis: first token, count, tokens each, place in the window, end in it.

    After the roll by `shift`, whole windows come first, then the edge of the grid with the padding
    behind it, and at last the first `shift` tokens, which the mask keeps apart from that edge.
    """
    whole, edge = divmod(tokens - shift, window)
    forms = [(shift, whole, window, 0, window)] if whole else []
    if edge:
        shares_window = shift > 0 and edge + shift <= window
        forms.append((tokens - edge, 1, edge, 0, window - shift if shares_window else window))
    if shift:
        forms.append((0, 1, shift, window - shift, window))
    return forms
