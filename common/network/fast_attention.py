"""Accelerates windowed attention in MONAI's SwinUNETR and SwinTransformer; results stay.

Attention runs over rectangles of the token grid (see window_partition.py), one call for all
rectangles of a group, instead of over padded, rolled and masked windows. Padding still counts, as
it does in MONAI, where a padding token is a key like any other. All padding of a window has the
same key and value (the bias of the projection), so one key stands for all padding tokens; its
position bias is the log-sum-exp of their biases.
"""

import warnings
from functools import lru_cache

import numpy as np
import torch
from monai.data import MetaTensor
from monai.networks.nets.swin_unetr import (
    BasicLayer,
    SwinTransformerBlock,
    WindowAttention,
    get_window_size,
)
from torch import Tensor, nn

from .attention_kernels import RecomputedAttention, attention
from .window_partition import WindowGroup, window_groups


def accelerate(network: nn.Module, is_on: bool = True) -> nn.Module:
    """Makes every Swin stage inside a network fast; weights and state-dict keys stay.

    Args:
        network: holds MONAI's `SwinTransformer` anywhere inside, as `SwinUNETR` does, 2D or 3D. It
            is changed in place; copies and pickles of it stay fast.
        is_on: False gives the network back to MONAI's own forward.

    Returns:
        The same network. Outputs equal MONAI's up to rounding, for any input that MONAI takes.
        While attention dropout is active, and in an export to ONNX, a stage runs as MONAI's.
    """
    for module in network.modules():
        for plain, fast in ((BasicLayer, FastLayer), (SwinTransformerBlock, FastBlock)):
            if type(module) in (plain, fast):
                module.__class__ = fast if is_on else plain
    return network


class FastLayer(BasicLayer):
    """Runs a Swin stage without a mask: (B, C, X, Y, Z) to (B, 2C, X/2, Y/2, Z/2)."""

    def forward(self, x: Tensor) -> Tensor:
        drops = self.training and any(block.attn.attn_drop.p > 0 for block in self.blocks)
        # ONNX has no writing into a part of a tensor, and its exporter drops it without a word
        if self.use_hyena or drops or torch.onnx.is_in_onnx_export():
            return super().forward(x)
        if isinstance(x, MetaTensor):  # whose metadata would be carried through every operation
            x = x.as_tensor()
        x = x.movedim(1, -1).contiguous()
        for block in self.blocks:
            x = block(x, None)
        if self.downsample is not None:
            x = self.downsample(x)
        return x.movedim(-1, 1)


class FastBlock(SwinTransformerBlock):
    """Runs a Swin block without padding and roll; with a mask it runs as MONAI's."""

    def forward_part1(self, x: Tensor, mask_matrix: Tensor | None) -> Tensor:
        """Computes attention of (B, X, Y, Z, C) tokens, with norm and projections."""
        if mask_matrix is not None:
            return super().forward_part1(x, mask_matrix)
        grid = tuple(int(size) for size in x.shape[1:-1])  # plain numbers while tracing, too
        window, shift = get_window_size(grid, self.window_size, self.shift_size)
        attn, heads = self.attn, self.num_heads
        groups = window_groups(grid, tuple(window), tuple(shift))
        biases = [position_bias(attn, group, tuple(window)) for group in groups]
        qkv = attn.qkv(self.norm1(x))
        padding = qkv.new_zeros(2, heads, self.dim // heads)
        if attn.qkv.bias is not None:
            padding = attn.qkv.bias.view(3, heads, -1)[1:].to(qkv.dtype)
        attend = RecomputedAttention.apply if torch.is_grad_enabled() else attention
        return attn.proj_drop(attn.proj(attend(qkv, padding, groups, *biases)))


def position_bias(attn: WindowAttention, group: WindowGroup, window: tuple[int, ...]) -> Tensor:
    """Computes a group's relative position bias: (heads, n, n), with padding (heads, n, n + 1)."""
    table = attn.relative_position_bias_table
    # A tensor of a trace is part of its graph: it must neither enter the cache nor leave it.
    look_up = position_index if not torch.jit.is_tracing() else _position_index.__wrapped__
    size = tuple(attn.window_size)
    between, to_padding = look_up(size, window, group.places, group.sizes, group.ends, table.device)
    bias = _select_rows(table, between)
    if group.is_padded:
        of_padding = _select_rows(table, to_padding).logsumexp(1, keepdim=True)
        bias = torch.cat([bias, of_padding], 1)
    return bias.permute(2, 0, 1).contiguous()


def _select_rows(table: Tensor, index: Tensor) -> Tensor:
    """Returns `table[index]`; the gradient of `index_select` is the fastest on a CPU."""
    return table.index_select(0, index.flatten()).view(*index.shape, -1)


@torch.compiler.assume_constant_result
def position_index(*arguments) -> tuple[Tensor, Tensor]:
    """Finds a group's rows of the bias table: (n, n) between tokens, (n, p) to its padding."""
    return _position_index(*arguments)


@lru_cache(maxsize=256)
def _position_index(
    table_window: tuple[int, ...],
    window: tuple[int, ...],
    places: tuple[int, ...],
    sizes: tuple[int, ...],
    ends: tuple[int, ...],
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Reads a window that is clipped to the grid as the first places of a whole one, as MONAI."""
    flat = np.arange(np.prod(window)).reshape(window)
    is_inside, is_padding = np.zeros(window, bool), np.zeros(window, bool)
    is_inside[tuple(slice(p, p + s) for p, s in zip(places, sizes))] = True
    is_padding[tuple(slice(p, e) for p, e in zip(places, ends))] = True
    inside, padding = flat[is_inside], flat[is_padding & ~is_inside]
    at = np.stack(np.unravel_index(np.arange(np.prod(table_window)), table_window))
    edges = np.array(table_window)[:, None, None]
    steps = at[:, inside, None] - at[:, None] + edges - 1  # from each token to each place
    rows = np.ravel_multi_index(tuple(steps), tuple(2 * size - 1 for size in table_window))
    with torch.inference_mode(False):
        between, to_padding = rows[:, inside], rows[:, padding]
        return _constant(between, device), _constant(to_padding, device)


def _constant(rows: np.ndarray, device: torch.device) -> Tensor:
    """Makes a tensor of row numbers; a trace on the CPU keeps no device, so its file runs on any.

    `torch.tensor` would leave a move to the CPU in the trace, which fails where the rest is on
    CUDA.
    """
    if torch.jit.is_tracing() and device.type == "cpu":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            return torch.from_numpy(rows)
    return torch.tensor(rows, device=device)
