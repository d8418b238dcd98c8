"""Two small objectives, each a module and an overlay, as a user would write them."""

import json
import re

from helpers import BUNDLES

ENCODER = json.loads((BUNDLES / "pretrain_ssl/configs/train.json").read_text())["network_def"][
    "encoder"
]
PAGE = (BUNDLES / "pretrain_ssl/docs/objectives.md").read_text()
(CROP_MEAN,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)  # the example of the page
CROP_MEAN_OVERLAY = json.loads(*re.findall(r"```json\n(.*?)```", PAGE, re.S))
FEATURES = "$16 * @network_def::encoder::embed_dim"  # of the encoder's last stage

MOMENTUM = '''"""Pre-trains two crops of a volume to agree with each other's momentum embedding."""

import copy

import torch
from ignite.engine import Events
from monai.engines import PrepareBatch
from torch import nn
from torch.nn.functional import mse_loss, normalize

from ..common.training import keep_state
from .base import ObjectiveLoss, ObjectiveMetrics


class MomentumNetwork(nn.Module):
    def __init__(self, encoder, features):
        super().__init__()
        self.swinViT = encoder
        self.embed, self.place = nn.Linear(features, 8), nn.Linear(features, 3)

    def forward(self, image):
        features = self.swinViT(image)[-1].flatten(2).mean(dim=2)
        return {"embedding": normalize(self.embed(features)), "place": self.place(features)}


class Teacher(nn.Module):
    """A copy of the network without gradients."""

    def __init__(self, network):
        super().__init__()
        self.copy = copy.deepcopy(network).requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, images):
        return self.copy.to(images.device)(images)["embedding"]


class FollowNetwork:
    """Trainer's handler: moves the teacher a little towards the network after every step."""

    def __init__(self, teacher, momentum):
        self.teacher, self.momentum = teacher, momentum

    def attach(self, engine):
        keep_state(engine, "teacher", self.teacher)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)

    @torch.no_grad()
    def update(self, engine):
        network = getattr(engine.network, "module", engine.network)
        for mine, own in zip(self.teacher.copy.parameters(), network.parameters()):
            mine.lerp_(own.to(mine.device), 1 - self.momentum)


class TwoCrops(PrepareBatch):
    def __init__(self, teacher):
        self.teacher = teacher

    def __call__(self, batch, device=None, non_blocking=False, **kwargs):
        """Returns crops (2B, 1, X, Y, Z), the two of an item side by side, and their targets."""
        assert batch["draw"][:, 2].tolist() == [0, 1] * (len(batch["image"]) // 2)
        images = batch["image"].as_tensor().to(device, non_blocking=non_blocking, **kwargs)
        embedding = self.teacher(images).unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
        place = batch["box"].double().mean(dim=1) / batch["volume_shape"]
        return images, {"embedding": embedding, "place": place.float().to(device)}


class MomentumLoss(ObjectiveLoss):
    def terms(self, pred, target):
        return {f"{name}_loss": mse_loss(pred[name].float(), target[name]) for name in target}


class MomentumMetrics(ObjectiveMetrics):
    def of_crops(self, pred, target):
        nearest = (pred["embedding"].float() @ target["embedding"].T).argmax(dim=1)
        return {"top1": (nearest == torch.arange(len(nearest), device=nearest.device)).float()}

    def chance_levels(self, pred, target):
        return {"top1": 1 / len(target["place"])}
'''

MOMENTUM_OVERLAY = {
    "objective": "momentum",
    "crops_per_item": 2,
    "network_def": {
        "_target_": "scripts.objectives.momentum.MomentumNetwork",
        "encoder": ENCODER,
        "features": FEATURES,
    },
    "teacher": {"_target_": "scripts.objectives.momentum.Teacher", "network": "@network_def"},
    "prepare_batch": {"_target_": "scripts.objectives.momentum.TwoCrops", "teacher": "@teacher"},
    "loss": {
        "_target_": "scripts.objectives.momentum.MomentumLoss",
        "weights": {"embedding": 1.0, "place": 0.1},
    },
    "metrics": {"_target_": "scripts.objectives.momentum.MomentumMetrics", "loss": "@loss"},
    "train_handlers": [
        {
            "_target_": "scripts.objectives.momentum.FollowNetwork",
            "teacher": "@teacher",
            "momentum": 0.9,
        }
    ],
    "corrupt": [],
}
