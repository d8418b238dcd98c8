# generated from common/network/attention_kernels.py, do not edit: `make copies`
"""Computes attention inside the rectangles of a token grid, and its gradient.

The scores of a whole stage never exist at once: they stay inside PyTorch's fused kernel or, a few
windows at a time, in a CPU's cache; the backward computes the scores again. PyTorch's fused kernels
cannot train on a CPU, where they have no gradient for the relative position bias, and with heads of
4 or 8 channels (feature size 12 or 24) they took twice the time of the products below.
"""

from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from .window_partition import WindowGroup

SCORES_AT_ONCE = {"cpu": 2**20, "cuda": 2**27}  # float32: a CPU's cache; 512 MiB
CHANNELS_FOR_FUSED = 16  # a head with fewer is faster without the fused kernel on a CPU


def attention(
    qkv: Tensor, padding: Tensor, groups: tuple[WindowGroup, ...], *biases: Tensor
) -> Tensor:
    """Computes attention inside every rectangle.

    Args:
        qkv: (B, X, Y, Z, 3C) queries, keys and values of the tokens, heads inside each third.
        padding: (2, heads, C / heads), key and value of a padding token.
        groups: cover the grid.
        biases: (heads, n, n or n + 1) for each group; n is its number of tokens in a rectangle.

    Returns:
        (B, X, Y, Z, C), heads side by side.
    """
    is_captured = torch.jit.is_tracing() or torch.compiler.is_compiling()  # no loop over parts
    is_small = qkv.device.type == "cpu" and padding.shape[2] < CHANNELS_FOR_FUSED
    attend = _attend_in_cache if is_small and not is_captured else _attend_fused
    out = qkv.new_empty(*qkv.shape[:-1], qkv.shape[-1] // 3)
    with torch.autocast(qkv.device.type, enabled=False):
        for group, bias in zip(groups, biases):
            attend(group, qkv, padding, bias.detach(), out)
    return out


class RecomputedAttention(torch.autograd.Function):
    """Runs `attention`, and computes the scores again in the backward, a few windows at a time."""

    @staticmethod
    def forward(ctx, qkv, padding, groups, *biases):
        ctx.groups = groups
        ctx.save_for_backward(qkv, padding, *biases)
        return attention(qkv, padding, groups, *biases)

    @staticmethod
    def backward(ctx, grad):
        qkv, padding, *biases = ctx.saved_tensors
        grad_qkv, grad_padding = torch.empty_like(qkv), torch.zeros_like(padding)
        grad_biases = [torch.zeros_like(bias) for bias in biases]
        with torch.autocast(qkv.device.type, enabled=False):
            for group, bias, grad_bias in zip(ctx.groups, biases, grad_biases):
                grad_padding += _backward(group, qkv, padding, bias, grad, grad_qkv, grad_bias)
        return grad_qkv, grad_padding, None, *grad_biases


def _attend_fused(
    group: WindowGroup, qkv: Tensor, padding: Tensor, bias: Tensor, out: Tensor
) -> None:
    """Writes attention of one group into `out`, by PyTorch's kernel."""
    heads, channels = padding.shape[1:]
    tokens = group.rectangles(qkv).reshape(-1, bias.shape[1], 3, heads, channels)
    q, k, v = tokens.permute(2, 0, 3, 1, 4)  # each (windows, heads, n, channels)
    if group.is_padded:
        of_padding = padding[:, None, :, None].expand(2, k.shape[0], heads, 1, channels)
        k, v = torch.cat([k, of_padding[0]], 2), torch.cat([v, of_padding[1]], 2)
    attended = scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype)[None])
    target = group.rectangles(out)
    target.copy_(attended.transpose(1, 2).reshape(target.shape))


def _attend_in_cache(
    group: WindowGroup, qkv: Tensor, padding: Tensor, bias: Tensor, out: Tensor
) -> None:
    """Writes attention of one group into `out`, by plain products over a few windows at a time."""
    q, k, v = _query_key_value(group, qkv, padding)
    attended = q.new_empty(q.shape)
    for part, scores, _ in _split_windows(q, bias):
        torch.bmm(v[part], _softmax(scores, q[part], k[part], bias).mT, out=attended[part])
    target = _columns(group, out, *padding.shape[1:])
    target.copy_(attended.view(target.shape))


def _backward(
    group: WindowGroup,
    qkv: Tensor,
    padding: Tensor,
    bias: Tensor,
    grad: Tensor,
    grad_qkv: Tensor,
    grad_bias: Tensor,
) -> Tensor:
    """Writes one group's gradients into `grad_qkv` and `grad_bias`; returns the padding's."""
    heads, channels, n = *padding.shape[1:], bias.shape[1]
    q, k, v = _query_key_value(group, qkv, padding)
    grad = _columns(group, grad, heads, channels).float().reshape(q.shape)
    grad_q, grad_k, grad_v = (t.new_empty(t.shape) for t in (q, k, v))
    for part, scores, grad_scores in _split_windows(q, bias):
        weights = _softmax(scores, q[part], k[part], bias)
        torch.bmm(grad[part], weights, out=grad_v[part])
        torch.bmm(grad[part].mT, v[part], out=grad_scores)
        torch.ops.aten._softmax_backward_data.out(
            grad_scores, weights, -1, weights.dtype, grad_input=grad_scores
        )
        grad_bias += grad_scores.unflatten(0, (-1, heads)).sum(0)
        torch.bmm(k[part], grad_scores.mT, out=grad_q[part])
        torch.bmm(q[part], grad_scores, out=grad_k[part])
    grad_q *= channels**-0.5
    grad_k *= channels**-0.5
    target = _columns(group, grad_qkv, heads, channels)
    for of_part, columns in zip(target, (grad_q, grad_k, grad_v)):
        of_part.copy_(columns[..., :n].reshape(of_part.shape))
    beyond = [columns[..., n:].sum(-1) for columns in (grad_k, grad_v)]  # no column, no padding
    return torch.stack(beyond).view(2, -1, heads, channels).sum(1).to(padding.dtype)


def _query_key_value(
    group: WindowGroup, qkv: Tensor, padding: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns each as (windows * heads, channels, n) float32; the padding's key and value last.

    With the channels first, products with the scores are several times faster on a CPU.
    """
    heads, channels = padding.shape[1:]
    q, k, v = (
        _columns(group, qkv, heads, channels).float().reshape(3, -1, channels, prod(group.sizes))
    )
    if group.is_padded:
        of_padding = padding.float().tile(1, q.shape[0] // heads, 1)[..., None]
        k, v = torch.cat([k, of_padding[0]], 2), torch.cat([v, of_padding[1]], 2)
    return q, k, v


def _columns(group: WindowGroup, grid: Tensor, heads: int, channels: int) -> Tensor:
    """Views (B, X, Y, Z, parts * C) as (parts, B, windows …, heads, channels, tokens …)."""
    axes = len(group.sizes)
    tokens = group.rectangles(grid).unflatten(-1, (-1, heads, channels))
    return tokens.permute(-3, *range(1 + axes), -2, -1, *range(1 + axes, 1 + 2 * axes))


def _split_windows(q: Tensor, bias: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yields slices of whole windows, each with two buffers (windows * heads, n, m) for scores."""
    heads, n, m = bias.shape
    rows = heads * max(1, SCORES_AT_ONCE[q.device.type] // (heads * n * m))
    buffers = q.new_empty(2, min(rows, len(q)), n, m)
    for start in range(0, len(q), rows):
        size = min(rows, len(q) - start)
        yield slice(start, start + size), buffers[0, :size], buffers[1, :size]


def _softmax(scores: Tensor, q: Tensor, k: Tensor, bias: Tensor) -> Tensor:
    """Computes attention weights (windows * heads, n, m), written over `scores`."""
    scores.unflatten(0, (-1, len(bias))).copy_(bias)
    scores.baddbmm_(q.mT, k, alpha=q.shape[1] ** -0.5)
    return torch.softmax(scores, -1, out=scores)
