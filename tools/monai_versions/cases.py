"""Lists the networks, arguments and inputs that tools/monai_versions runs in every version."""

from dataclasses import dataclass

# What runs, and the reference's run that it is compared with.
OWN, OWN_TO_OLD, NEW_TO_OWN = "own → own", "own → old order", "new order → own"
ALL = (OWN, OWN_TO_OLD, NEW_TO_OWN)
DROP = {"drop_rate": 0.1, "attn_drop_rate": 0.1, "dropout_path_rate": 0.1}
STAGES = {"depths": (2, 2, 2, 2), "num_heads": (3, 6, 12, 24)}


@dataclass(frozen=True)
class Case:
    """Describes one network and its input.

    Args:
        network: class of `monai.networks.nets.swin_unetr`.
        arguments: of its constructor; the others stay at the version's own defaults.
        size: spatial shape of the input, such as (64, 32, 96).
        channels: of the input.
        precision: `float32`; `bfloat16` converts the weights; `autocast` leaves them in float32.
        frozen: prefix of the parameters that need no gradient.
        mergings: which patch mergings to run and to compare, of `ALL`.
    """

    network: str
    arguments: dict
    size: tuple[int, ...]
    channels: int = 1
    precision: str = "float32"
    frozen: str | None = None
    mergings: tuple[str, ...] = ALL


def unetr(size: tuple[int, ...] = (64, 32, 32), channels: int = 1, **settings) -> Case:
    """Makes a case of SwinUNETR with feature size 12; `settings` are Case's or SwinUNETR's own."""
    fields = {name: settings.pop(name) for name in Case.__dataclass_fields__ if name in settings}
    arguments = {"in_channels": channels, "out_channels": 2, "feature_size": 12} | settings
    return Case("SwinUNETR", arguments, size, channels, **fields)


def encoder(size: tuple[int, ...], **settings) -> Case:
    """Makes a case of SwinTransformer with a cubic window of 7; `settings` are its arguments."""
    mergings = settings.pop("mergings", ALL)
    same = {"in_chans": 1, "embed_dim": 12, "spatial_dims": len(size)}
    cubes = {"window_size": (7,) * len(size), "patch_size": (2,) * len(size)}
    return Case("SwinTransformer", same | cubes | STAGES | settings, size, mergings=mergings)


CASES = {
    "defaults": unetr((64, 32, 96)),
    "4 channels to 14 labels": unetr(channels=4, out_channels=14, feature_size=24),
    "normalize=False": unetr(normalize=False),
    "use_checkpoint": unetr(use_checkpoint=True),
    "use_checkpoint, patch_embed frozen": unetr(use_checkpoint=True, frozen="swinViT.patch_embed"),
    "drop rates 0.1": unetr(**DROP),
    "bfloat16 weights": unetr(precision="bfloat16"),
    "bfloat16 autocast": unetr(precision="autocast"),
    "use_v2": unetr(use_v2=True),
    'downsample="mergingv2"': unetr(downsample="mergingv2", mergings=(OWN,)),
    "2D, 96 x 96": unetr((96, 96), spatial_dims=2, mergings=(OWN,)),
    "2D, 64 x 96": unetr((64, 96), spatial_dims=2, mergings=(OWN,)),
    "2D, use_v2": unetr((96, 96), spatial_dims=2, use_v2=True, mergings=(OWN,)),
    "encoder, odd cubic grids": encoder((36, 36, 36)),
    "encoder, odd grids": encoder((36, 44, 40)),
    "encoder, window (4, 7, 5)": encoder((64, 32, 48), window_size=(4, 7, 5)),
    "encoder, patch_norm, no qkv_bias": encoder(
        (64, 32, 32), patch_norm=True, qkv_bias=False, mlp_ratio=2.0
    ),
    "2D encoder, window (4, 8)": encoder((64, 64), window_size=(4, 8), mergings=(OWN,)),
}
