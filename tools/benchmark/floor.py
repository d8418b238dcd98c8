"""Counts the encoder's operations and bytes, and measures the least time that they could take.

    python tools/benchmark floor --feature_size 48 --size 96

Counted are the products of the linear layers and of attention, the exponentials of its softmax, and
what every layer reads and writes once; each is divided by a rate that is measured here, and the
three are added up, as if nothing overlapped and nothing else were done.
"""

from math import prod
from time import perf_counter

import torch
from monai.networks.nets.swin_unetr import SwinTransformer, SwinTransformerBlock, get_window_size
from torch import Tensor, nn

from common.network.window_partition import window_groups

TOKENS = 343  # of a window of 7³, a row of its softmax


def best(function, amount: float, repetitions: int = 7) -> float:
    """Returns `amount` per second, in the fastest of several runs."""
    times = []
    for _ in range(repetitions):
        started = perf_counter()
        function()
        times.append(perf_counter() - started)
    return amount / min(times)


def rates() -> dict[str, float]:
    """Measures this machine's products and additions, exponentials and bytes per second."""
    square, target = torch.rand(2048, 2048), torch.empty(2048, 2048)
    scores = torch.rand(12, TOKENS, TOKENS)
    weights, block = torch.empty_like(scores), torch.rand(2**26)
    copy = torch.empty_like(block)
    return {
        "flops": best(lambda: torch.mm(square, square, out=target), 2 * 2048**3),
        "exps": best(lambda: torch.softmax(scores, -1, out=weights), scores.numel()),
        "bytes": best(lambda: copy.copy_(block), 8 * block.numel()),
    }


def counts(encoder: SwinTransformer, image: Tensor) -> dict[str, float]:
    """Counts operations and bytes of one forward of a plain encoder."""
    found = {"flops": 0.0, "exps": 0.0, "bytes": 0.0}

    def layer(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        found["bytes"] += 4 * (inputs[0].numel() + output.numel())
        if isinstance(module, nn.Linear):
            found["flops"] += 2 * inputs[0].numel() * module.out_features

    def block(module: SwinTransformerBlock, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        grid = tuple(inputs[0].shape[1:-1])
        for group in window_groups(
            grid, *get_window_size(grid, module.window_size, module.shift_size)
        ):
            n = prod(group.sizes)
            pairs = prod(group.counts) * n * (n + group.is_padded)
            found["flops"] += 4 * pairs * module.dim
            found["exps"] += pairs * module.num_heads

    for module in encoder.modules():
        if not list(module.children()):
            module.register_forward_hook(layer)
        if isinstance(module, SwinTransformerBlock):
            module.register_forward_hook(block)
    with torch.no_grad():
        encoder.eval()(image)
    return found


def print_floor(feature_size: int, size: int) -> None:
    """Prints counts, rates and the seconds that follow.

    Args:
        feature_size: of the encoder.
        size: edge of the crop in voxels, divisible by 32.
    """
    encoder = SwinTransformer(1, feature_size, (7, 7, 7), (2, 2, 2), (2, 2, 2, 2), (3, 6, 12, 24))
    amounts, speeds = counts(encoder, torch.rand(1, 1, size, size, size)), rates()
    print("| | amount (1e9) | this CPU (1e9 a second) | seconds |\n|---|--:|--:|--:|")
    names = {
        "flops": "products and additions",
        "exps": "exponentials",
        "bytes": "bytes read and written",
    }
    seconds = {key: amounts[key] / speeds[key] for key in names}
    for key, name in names.items():
        cells = f"{amounts[key] / 1e9:.3g} | {speeds[key] / 1e9:.3g} | {seconds[key]:.3f}"
        print(f"| {name} | {cells} |")
    print(f"| together | | | {sum(seconds.values()):.3f} |")
