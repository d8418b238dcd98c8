"""Defines the sizes that the benchmark times: those of a CPU, of CUDA, and tiny ones.

Those of the network have MONAI's names for `SwinUNETR`, wherever a config keeps them.
"""

from .report import TITLES

# By device, or "tiny": for both sides; `ours.read_config` sets them in the configs
CPU = {"batch_size": 1, "use_checkpoint": False}
CROPS = {"batch_size": 1, "patch_size": [96, 96, 96]}
CUDA = {"batch_size": 4, "feature_size": 48, "patch_size": [96, 96, 96]}
TINY = {
    "batch_size": 1,
    "feature_size": 12,
    "depths": [1, 1, 1, 1],
    "window_size": [4, 4, 4],
    "patch_size": [64, 64, 64],
    "use_checkpoint": False,
}
CONFIGS = {
    "cpu": {
        "crops": CROPS,
        "encoder": CPU | {"feature_size": 48, "patch_size": [96, 96, 96]},
        "pretrain": CPU | {"feature_size": 24, "patch_size": [64, 64, 64]},
        "finetune": CPU | {"feature_size": 12, "patch_size": [96, 96, 96]},
        "volume": CPU | {"feature_size": 12, "patch_size": [96, 96, 96]},
    },
    "cuda": dict.fromkeys(TITLES, CUDA) | {"crops": CROPS},
    "tiny": dict.fromkeys(TITLES, TINY)
    | {"crops": TINY | {"spacing_mm": [5.0, 5.0, 5.0]}}
    | {"finetune": TINY | {"patch_size": [64, 64, 32]}}
    | {"volume": TINY | {"patch_size": [64, 64, 32], "spacing_mm": [5.0, 5.0, 5.0]}},
}
# Of `objectives`: overlays behind an objective's own, and what the network does not tell
OBJECTIVES = {
    "demo": {"overlays": ["demo"], "config": {"patch_size": [64, 64, 32], "prototypes": 512}},
    "full": {"overlays": [], "config": {"patch_size": [96, 96, 96]}},
}
# The CTs that crops are read from, and how many crops of ours a repetition has
LARGE_CORPUS = {
    "ct": {"shape": [512, 512, 300], "spacing_mm": [0.8, 0.8, 1.25]},
    "volumes": 4,
    "crops": 400,
}
SMALL_CORPUS = {
    "ct": {"shape": [96, 80, 48], "spacing_mm": [4.5, 4.5, 6.0]},
    "volumes": 2,
    "crops": 4,
}
# The CT that is segmented, and the phantoms and crops that its network is trained on
VOLUMES = {
    "cpu": {
        "ct": {"shape": [300, 300, 120], "spacing_mm": [1.5, 1.5, 2.0]},
        "training": {
            "shape": [300, 300, 120],
            "phantoms": 4,
            "patch_size": [64, 64, 64],
            "batch_size": 1,
            "steps": 100,
        },
    },
    "cuda": {
        "ct": {"shape": [512, 512, 150], "spacing_mm": [0.8, 0.8, 2.5]},
        "training": {
            "shape": [300, 300, 150],
            "phantoms": 8,
            "patch_size": [64, 64, 64],
            "batch_size": 4,
            "steps": 400,
        },
    },
    "tiny": {
        "ct": {"shape": [96, 80, 48], "spacing_mm": [4.5, 4.5, 6.0]},
        "training": {
            "shape": [84, 72, 56],
            "phantoms": 2,
            "patch_size": [64, 64, 32],
            "batch_size": 1,
            "steps": 20,
        },
    },
}
