"""Files of every public layout, made from random networks: what a user may bring, in small."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import torch
from monai.networks.nets import SwinUNETR
from torch import Tensor, nn

ENCODER = "swinViT."
State = dict[str, Tensor]

SMALL = {
    "in_channels": 1,
    "out_channels": 14,
    "feature_size": 12,
    "depths": [1, 1, 1, 1],
    "num_heads": [3, 6, 12, 24],
    "window_size": [4, 4, 4],
}


def built(**changes) -> nn.Module:
    """A small SwinUNETR."""
    return SwinUNETR(**SMALL | changes)


def copied(network: nn.Module) -> State:
    return {name: value.clone() for name, value in network.state_dict().items()}


def encoder_of(state: State) -> State:
    return {name: value for name, value in state.items() if name.startswith(ENCODER)}


def renamed(state: State, rename: Callable[[str], str]) -> State:
    return {rename(name): value for name, value in state.items()}


def saved(path: Path, content: object) -> str:
    torch.save(content, path)
    return str(path)


def fc(name: str) -> str:
    return name.replace(".mlp.linear", ".mlp.fc")


def disruptive(name: str) -> str:
    """One index more behind each stage, and `encoder.` for `swinViT.`; the decoder as MONAI's."""
    for stage in range(1, 5):
        name = name.replace(f"swinViT.layers{stage}.0.", f"encoder.layers{stage}.0.0.")
    return name.replace("swinViT.", "encoder.")


def model_swinvit(state: State) -> dict:
    names = renamed(encoder_of(state), lambda n: "module." + fc(n.removeprefix(ENCODER)))
    heads = {
        "module.norm.weight": torch.rand(4),
        "module.norm.bias": torch.rand(4),
        "module.rotation_head.weight": torch.rand(4, 4),
        "module.contrastive_head.weight": torch.rand(4, 4),
        "module.convTrans3d.weight": torch.rand(4, 4),
    }
    return {"epoch": 7, "state_dict": names | heads, "optimizer": {"lr": 1e-4}}


def disruptive_autoencoders(state: State) -> dict:
    others = {
        "encoder.mask_token": torch.rand(1, 1, 4),
        "encoder.norm.weight": torch.rand(4),
        "encoder.norm.bias": torch.rand(4),
    }
    one_class = {
        "out.conv.conv.weight": torch.rand(1, *state["out.conv.conv.weight"].shape[1:]),
        "out.conv.conv.bias": torch.rand(1),
    }
    return {"model": renamed(state | one_class, disruptive) | others, "epoch": 3}


def official(prefix: str) -> Callable[[State], dict]:
    """The pre-training script's own output; `prefix` is in the place of `swinViT.`."""

    def make(state: State) -> dict:
        wrapper = "module." if prefix.startswith("module.") else ""
        heads = {
            f"{wrapper}{name}": torch.rand(2, 2)
            for name in ("rotation_head.weight", "contrastive_head.weight", "conv.weight")
        }
        names = renamed(encoder_of(state), lambda n: prefix + n.removeprefix(ENCODER))
        return {"state_dict": names | heads, "epoch": 7}

    return make


def voco(prefix: str) -> Callable[[State], dict]:
    return lambda state: renamed(encoder_of(state), lambda n: prefix + n)


def suprem(state: State) -> dict:
    heads = {
        "module.organ_embedding": torch.rand(2, 2),
        "module.controller.weight": torch.rand(2, 2),
        "module.GAP.0.weight": torch.rand(2),
        "module.precls_conv.0.weight": torch.rand(2),
        "module.text_to_vision.weight": torch.rand(2, 2),
    }
    return {"net": renamed(state, lambda n: "module.backbone." + n) | heads, "epoch": 2100}


# What a file is called in the report, whether it has the decoder too, how many are left out of 14
# classes, and how its content is made from a network's state.
LAYOUTS = {
    "model_swinvit": ("model_swinvit.pt (Tang et al.)", False, 5, model_swinvit),
    "disruptive autoencoders": ("Disruptive Autoencoders", True, 5, disruptive_autoencoders),
    "official": ("official pre-training script", False, 3, official("swinViT.")),
    "official, module": ("official pre-training script", False, 3, official("module.swinViT.")),
    "official, old": ("official pre-training script", False, 3, official("swin_vit.")),
    "official, old, module": (
        "official pre-training script",
        False,
        3,
        official("module.swin_vit."),
    ),
    "SuPreM": ("SuPreM", True, 5, suprem),
    "zoo": ("SwinUNETR", True, 0, lambda state: OrderedDict(state)),
    "zoo, state_dict": ("SwinUNETR", True, 0, lambda state: {"state_dict": state, "epoch": 1}),
    "checkpoint of a run": ("SwinUNETR", True, 0, lambda state: {"network": state, "iteration": 9}),
    "encoder.pt": ("SwinUNETR", False, 0, encoder_of),
}
WITH_V2 = {
    "VoCo": ("SwinUNETR with use_v2, as VoCo", False, 0, voco("")),
    "VoCo, module": ("SwinUNETR with use_v2, as VoCo", False, 0, voco("module.")),
}
