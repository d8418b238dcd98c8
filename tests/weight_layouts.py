"""Files of every public layout, made from random networks: what a user may bring, in small."""

import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import torch
from helpers import config_files
from monai.bundle import ConfigParser
from monai.networks.nets import SwinUNETR
from monai.networks.nets.swin_unetr import PatchMergingV2, SwinTransformer
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


# Places of the eight tokens of a block in the order of MONAI's merging, since 1.5.0 and before.
PLACES = {
    "current": ("000", "100", "010", "001", "110", "101", "011", "111"),
    "legacy": ("000", "100", "010", "001", "101", "010", "001", "111"),
}


def built(merging: str = "current", **changes) -> nn.Module:
    """A small SwinUNETR of MONAI's own classes, whose weights look trained with a patch merging."""
    return look_trained(SwinUNETR(**SMALL | changes), merging)


def look_trained(network: nn.Module, merging: str) -> nn.Module:
    """Give columns that see the same token, or neighbours, something in common, as trained ones."""
    places = [[2 * int(axis) - 1 for axis in place] for place in PLACES[merging]]
    for module in network.modules():
        if isinstance(module, PatchMergingV2):
            weight = module.reduction.weight.data  # (2C, 8C)
            common = torch.randn(4, *weight.unflatten(1, (8, -1))[:, 0].shape) * weight.std()
            for number, column in enumerate(weight.unflatten(1, (8, -1)).unbind(1)):
                column += common[3] + sum(sign * common[k] for k, sign in enumerate(places[number]))
    return network


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


def smit(state: State) -> dict:
    """Its own names, without biases of qkv, and norms of each stage; columns in its own order."""
    order = [0, 1, 2, 3, 4, 6, 5, 7]  # of the current one
    names = {}
    for name, value in encoder_of(state).items():
        if "downsample" in name:
            value = value.unflatten(-1, (8, -1))[..., order, :].flatten(-2)
        for stage in range(1, 5):
            name = name.replace(f"layers{stage}.0.", f"layers.{stage - 1}.")
        names[fc(name.removeprefix(ENCODER))] = value
    return names | {f"norm{stage}.weight": torch.rand(4) for stage in range(4)}


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
# Layouts whose names tell that their weights were trained before MONAI 1.5.0.
OF_LEGACY = {"model_swinvit", "disruptive autoencoders", "SuPreM"}
WITH_V2 = {
    "VoCo": ("SwinUNETR with use_v2, as VoCo", False, 0, voco("")),
    "VoCo, module": ("SwinUNETR with use_v2, as VoCo", False, 0, voco("module.")),
}


# Swin networks of images and videos

IMAGES = {
    "in_chans": 3,
    "embed_dim": 12,
    "patch_size": [4, 4],
    "window_size": [3, 3],
    "depths": [2, 1, 1, 1],
    "num_heads": [3, 6, 12, 24],
    "patch_norm": True,
    "spatial_dims": 2,
}


def built_of_images(**changes) -> nn.Module:
    """MONAI's own Swin network of images, with patches of 4 x 4 and a norm, and random norms."""
    network = SwinTransformer(**IMAGES | changes).eval()
    for name, value in network.named_parameters():
        if value.ndim == 1:
            value.data = torch.rand_like(value) + 0.5
        elif "table" in name or "reduction" in name:
            value.data = torch.randn_like(value) * 0.3
    return network


def microsoft(state: State) -> dict:
    """Names of the Swin Transformer's authors: three mergings, a last norm, a classifier, masks."""
    names = renamed(
        state, lambda n: fc(re.sub(r"^layers(\d)\.0", lambda m: f"layers.{int(m[1]) - 1}", n))
    )
    names = {n: value for n, value in names.items() if "layers.3.downsample" not in n}
    more = {
        "norm.weight": torch.rand(4),
        "norm.bias": torch.rand(4),
        "head.weight": torch.rand(5, 4),
    }
    return {"model": names | more | {"layers.0.blocks.1.attn_mask": torch.zeros(4, 9, 9)}}


def mmaction(state: State) -> dict:
    names = {f"backbone.{name}": value for name, value in microsoft(state)["model"].items()}
    names["cls_head.fc_cls.weight"] = names.pop("backbone.head.weight")
    return {"meta": {"epoch": 30}, "state_dict": names}


def timm(state: State) -> dict:
    """Patches merged at the start of the next stage; no position indices and masks."""

    def later(match: re.Match) -> str:
        return f"layers.{int(match[1]) + 1}.downsample"

    names = renamed(
        microsoft(state)["model"], lambda n: re.sub(r"^layers\.(\d)\.downsample", later, n)
    )
    names["head.fc.weight"] = names.pop("head.weight")
    return {n: v for n, v in names.items() if "index" not in n and "mask" not in n}


def torchvision(first: int) -> Callable[[State], dict]:
    """One list of stages and mergings; `first` is the number of the first stage in it."""

    def rename(name: str) -> str:
        stage = int(match[1]) if (match := re.match(r"layers\.(\d)", name)) else 0
        name = re.sub(r"^layers\.\d\.blocks", f"features.{first + 2 * stage}", name)
        name = re.sub(r"^layers\.\d\.downsample", f"features.{first + 2 * stage + 1}", name)
        name = name.replace(".mlp.fc1", ".mlp.0").replace(".mlp.fc2", ".mlp.3")
        if first:
            name = name.replace("patch_embed.proj", "features.0.0")
            name = name.replace("patch_embed.norm", "features.0.2")
        return name

    def make(state: State) -> dict:
        names = renamed(microsoft(state)["model"], rename)
        return {
            n: v.flatten() if n.endswith("index") and first else v
            for n, v in names.items()
            if "mask" not in n
        }

    return make


def transformers(state: State) -> dict:
    """Query, key and value apart, under the names of the files that its hub has."""
    pairs = {
        "patch_embed.proj": "embeddings.patch_embeddings.projection",
        "patch_embed.norm": "embeddings.norm",
        "layers.": "encoder.layers.",
        ".norm1": ".layernorm_before",
        ".norm2": ".layernorm_after",
        ".attn.proj": ".attention.output.dense",
        ".attn.": ".attention.self.",
        ".mlp.fc1": ".intermediate.dense",
        ".mlp.fc2": ".output.dense",
    }
    names = {}
    for name, value in microsoft(state)["model"].items():
        if "mask" in name or name == "head.weight":
            continue
        name = "layernorm" + name.removeprefix("norm") if name.startswith("norm.") else name
        for ours, theirs in pairs.items():
            name = name.replace(ours, theirs)
        parts = zip(("query", "key", "value"), value.chunk(3))
        split = {name.replace("qkv", part): each for part, each in parts} if "qkv" in name else {}
        names |= {f"swin.{each}": part for each, part in (split or {name: value}).items()}
    return names | {"classifier.weight": torch.rand(5, 4)}


def transformers_5(state: State) -> dict:
    """The names that a network of transformers 5 has in memory."""
    pairs = {
        "attention.self.query": "attention.q_proj",
        "attention.self.key": "attention.k_proj",
        "attention.self.value": "attention.v_proj",
        "attention.self.": "attention.relative_position_bias.",
        "attention.output.dense": "attention.o_proj",
        "intermediate.dense": "mlp.fc1",
        "output.dense": "mlp.fc2",
    }

    def rename(name: str) -> str:
        for older, newer in pairs.items():
            name = name.replace(older, newer)
        return name.removeprefix("swin.")

    return renamed(transformers(state), rename)


# What a file is called in the report, and how its content is made from the state of
# `built_of_images`; OF_VIDEOS from one with patches of 2 x 4 x 4 and windows of three axes.
OF_IMAGES = {
    "Microsoft": ("Swin of images, named as by the authors", microsoft),
    "timm": ("Swin of images, named as by timm", timm),
    "torchvision": ("Swin of images, named as by torchvision", torchvision(first=1)),
    "transformers": ("Swin of images, named as by transformers", transformers),
    "transformers 5": ("Swin of images, named as by transformers", transformers_5),
}
OF_VIDEOS = {
    "mmaction": ("Video-Swin, named as by the authors", mmaction),
    "torchvision": ("Video-Swin, named as by torchvision", torchvision(first=0)),
}


def changed(network: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    after = network.state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}


def of_bundle(bundle: str, **knobs) -> nn.Module:
    """The demo network of a bundle whose scripts are loaded."""
    parser = ConfigParser()
    parser.read_config(config_files(bundle, "train", "demo"))
    parser.update(knobs)
    return look_trained(parser.get_parsed_content("network_def"), "current")
