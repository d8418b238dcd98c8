"""Builds and runs networks of the imported MONAI, and replaces their patch merging."""

import inspect
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, pad

from .cases import Case

# Offsets of the slices (i, j, k) that patch merging puts together, in this order.
ORDERS = {
    "old order": ("000", "100", "010", "001", "101", "010", "001", "111"),
    "new order": ("000", "100", "010", "001", "110", "101", "011", "111"),
}


class UnavailableError(Exception):
    """Says why a version cannot run a case."""


class Merging(nn.Module):
    """Merges patches of a volume, (B, D, H, W, C) to (B, D/2, H/2, W/2, 2C), in a given order.

    Tensor names and shapes are those of MONAI's `PatchMerging`.
    """

    order: tuple[str, ...]

    def __init__(self, dim: int, norm_layer: type = nn.LayerNorm, spatial_dims: int = 3) -> None:
        super().__init__()
        if spatial_dims != 3:
            raise UnavailableError("the orders are those of volumes")
        self.reduction = nn.Linear(8 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(8 * dim)

    def forward(self, x: Tensor) -> Tensor:
        depth, height, width = x.shape[1:4]
        x = pad(x, (0, 0, 0, width % 2, 0, height % 2, 0, depth % 2))
        offsets = [tuple(int(digit) for digit in digits) for digits in self.order]
        x = torch.cat([x[:, i::2, j::2, k::2] for i, j, k in offsets], dim=-1)
        return self.reduction(self.norm(x))


MERGINGS = {
    name: type("Merging", (Merging,), {"order": order, "__module__": __name__})
    for name, order in ORDERS.items()
}


def build(module: ModuleType, case: Case, merging: str) -> nn.Module:
    """Builds the case's network from the same seed, with the version's own merging or another.

    Args:
        module: `monai.networks.nets.swin_unetr` of the version.
        merging: `own`, or a name of `ORDERS`.
    """
    constructor = getattr(module, case.network, None)
    if constructor is None:
        raise UnavailableError(f"has no {case.network}")
    accepted, arguments = inspect.signature(constructor).parameters, dict(case.arguments)
    if "img_size" in accepted:
        arguments["img_size"] = case.size
    replaced = getattr(module, "PatchMerging", None)
    if merging != "own" and "downsample" in accepted:
        arguments["downsample"] = MERGINGS[merging]
    elif merging != "own":  # 0.9.0 has no such argument and takes the module's class
        module.PatchMerging = MERGINGS[merging]
    missing = sorted(set(arguments) - set(accepted))
    try:
        if missing:
            raise UnavailableError(f"has no argument {', '.join(missing)}")
        torch.manual_seed(0)
        return constructor(**arguments)
    finally:
        module.PatchMerging = replaced


def forward(network: nn.Module, image: Tensor, precision: str) -> list[Tensor]:
    """Runs the network; returns the encoder's hidden states 0 to 4 and, of SwinUNETR, the output.

    Args:
        image: (B, C, X, Y, Z) or (B, C, X, Y), float32.
    """
    states: list[Tensor] = []
    encoder = getattr(network, "swinViT", network)
    hook = encoder.register_forward_hook(lambda *call: states.extend(call[2]))
    if precision == "bfloat16":
        network, image = network.to(torch.bfloat16), image.to(torch.bfloat16)
    with hook, torch.autocast("cpu", torch.bfloat16, enabled=precision == "autocast"):
        output = network(image)
    return states if encoder is network else [*states, output]


def gradients(network: nn.Module, case: Case, image: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Returns the gradients in train mode of the mean squared error of the last feature map.

    A parameter without a gradient that is not frozen counts as zeros, and a fixed seed decides
    what is dropped.

    Args:
        target: as large as the compared output.
    """
    network.train().zero_grad(set_to_none=True)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not (case.frozen and name.startswith(case.frozen)))
    torch.manual_seed(1)
    mse_loss(forward(network, image, case.precision)[-1].float(), target).backward()
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in network.named_parameters()
        if parameter.requires_grad
    }
