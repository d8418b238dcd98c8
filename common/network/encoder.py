"""Sets how fast the encoder learns, beside the rest of the network."""

from monai.optimizers import generate_param_groups
from torch import nn

from ..errors import InputError

ENCODER = "swinViT."  # SwinUNETR's name of its encoder, also that of the pre-training network


def freeze_encoder(network: nn.Module, encoder_lr_scale: float) -> None:
    """Freezes the encoder at a scale of 0: it gets no gradients from now on.

    In a run list this comes before DDP wraps the network: DDP waits for the gradients of all
    parameters that are trainable then.

    Args:
        network: the bare network.
        encoder_lr_scale: the encoder's share of the learning rate, 0 or more.

    Raises:
        InputError: the share is negative.
    """
    if encoder_lr_scale < 0:
        raise InputError(
            f"--encoder_lr_scale {encoder_lr_scale} is negative; give 0 to freeze the encoder, or "
            "its share of the learning rate."
        )
    if encoder_lr_scale == 0:
        network.swinViT.requires_grad_(False)


def encoder_parameters(network: nn.Module) -> list[nn.Parameter]:
    """Lists the encoder's parameters, whether DDP wraps the network or not."""
    return [parameter for name, parameter in network.named_parameters() if ENCODER in name]


def is_frozen(network: nn.Module) -> bool:
    """Tells whether the network has an encoder of which no parameter is trained."""
    encoder = encoder_parameters(network)
    return bool(encoder) and not any(parameter.requires_grad for parameter in encoder)


def parameter_groups(
    network: nn.Module, learning_rate: float, encoder_lr_scale: float
) -> list[dict]:
    """Splits parameters into an optimizer's two groups: the rest of the network, then the encoder.

    Args:
        network: DDP-wrapped or not.
        learning_rate: of the rest of the network.
        encoder_lr_scale: the encoder's share of that learning rate.
    """
    return generate_param_groups(
        network=network,
        layer_matches=[lambda named: ENCODER not in named[0], lambda named: ENCODER in named[0]],
        match_types=["filter", "filter"],
        lr_values=[learning_rate, learning_rate * encoder_lr_scale],
        include_others=False,
    )
