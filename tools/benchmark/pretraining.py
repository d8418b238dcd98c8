"""Implements the authors' pre-training loop for tools/benchmark, in code of our own.

Project-MONAI/research-contributions, SwinUNETR/Pretrain. Gradients are not clipped, which the
authors' command does only without AMP and when asked.
"""

from collections.abc import Callable
from itertools import pairwise
from math import prod

import numpy as np
import torch
from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy, l1_loss, normalize

from .ours import read_config
from .worker import Job, random_batch

MOST_DROPPED = 0.3  # of a crop's voxels
BOX_SIZE = (0.05, 0.25)  # edge of a box as a fraction of the crop's
EMBEDDING_SIZE = 512
TEMPERATURE = 0.5


class OfficialNetwork(nn.Module):
    """Builds the authors' pre-training network: heads on one token each, default decoder."""

    def __init__(self, swin: SwinTransformer, features: int) -> None:
        super().__init__()
        self.swin = swin
        self.rotation = nn.Linear(features, 4)
        self.contrast = nn.Linear(features, EMBEDDING_SIZE)
        widths = [features // share for share in (1, 2, 4, 8, 16, 16)]
        doublings = [
            nn.Sequential(
                nn.Conv3d(width, narrower, 3, padding=1),
                nn.InstanceNorm3d(narrower),
                nn.LeakyReLU(),
                nn.Upsample(scale_factor=2, mode="trilinear"),
            )
            for width, narrower in pairwise(widths)
        ]
        self.decoder = nn.Sequential(*doublings, nn.Conv3d(widths[-1], 1, 1))

    def forward(self, views: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Computes rotation (B, 4), embedding (B, 512), reconstruction (B, 1, X, Y, Z)."""
        features = self.swin(views)[-1]
        first, second = features.flatten(2)[..., :2].unbind(-1)
        return self.rotation(first), self.contrast(second), self.decoder(features)


def turned(images: Tensor) -> tuple[Tensor, Tensor]:
    """Turns every crop by 0 to 3 quarter turns in its last two axes; returns the turns too (B,)."""
    turns = np.random.randint(4, size=len(images))
    out = images.clone()
    for number, turn in enumerate(turns):
        out[number] = images[number].rot90(int(turn), (2, 3))
    return out, torch.as_tensor(turns, device=images.device)


def corrupted(images: Tensor) -> Tensor:
    """Fills boxes of every crop with noise, then with another crop if another one is drawn."""
    out = images.clone()
    for number in range(len(out)):
        drop_boxes(out[number], None)
        donor = np.random.randint(len(out))
        if donor != number:
            drop_boxes(out[number], out[donor])
    return out


def drop_boxes(image: Tensor, donor: Tensor | None) -> None:
    """Writes random boxes into (C, X, Y, Z) until a random share of up to 30 % was written."""
    shape = image.shape[1:]
    wanted, written = np.random.uniform(0, MOST_DROPPED) * prod(shape), 0
    while written < wanted:
        edges = [max(2, int(np.random.uniform(*BOX_SIZE) * size)) for size in shape]
        firsts = [np.random.randint(size - edge + 1) for size, edge in zip(shape, edges)]
        box = (slice(None), *(slice(a, a + edge) for a, edge in zip(firsts, edges)))
        if donor is None:
            noise = torch.randn_like(image[box])
            image[box] = (noise - noise.min()) / (noise.max() - noise.min())
        else:
            image[box] = donor[box]
        written += prod(edges)


def contrastive_loss(first: Tensor, second: Tensor) -> Tensor:
    """Computes normalised-temperature cross-entropy over all pairs, (B, 512) each."""
    both = torch.cat([normalize(first), normalize(second)])
    likeness = cosine_similarity(both[:, None], both[None], dim=2) / TEMPERATURE
    itself = torch.eye(len(both), dtype=torch.bool, device=both.device)
    partner = torch.arange(len(both), device=both.device).roll(len(first))
    return cross_entropy(likeness.masked_fill(itself, -torch.inf), partner)


def half_precision(device: str) -> torch.autocast:
    """Selects float16 on CUDA, and nothing elsewhere."""
    return torch.autocast(device, torch.float16, enabled=device == "cuda")


def pretraining(order: dict, network: Callable[[Tensor], tuple], parameters: list) -> Job:
    """Runs the authors' loop: two views, a forward each, and one step of the optimizer."""
    optimizer = torch.optim.AdamW(parameters, lr=4e-4, weight_decay=0.1)
    batch, device = random_batch(order)["image"].as_tensor(), order["device"]
    scaler = torch.amp.GradScaler(device, enabled=device == "cuda")

    def step() -> None:
        images = batch.to(device)
        (clean1, turns1), (clean2, turns2) = turned(images), turned(images)
        view1, view2 = corrupted(clean1), corrupted(clean2)
        with half_precision(device):
            rotation1, embedding1, restored1 = network(view1)
            rotation2, embedding2, restored2 = network(view2)
            loss = (
                cross_entropy(torch.cat([rotation1, rotation2]), torch.cat([turns1, turns2]))
                + contrastive_loss(embedding1, embedding2)
                + l1_loss(torch.cat([restored1, restored2]), torch.cat([clean1, clean2]))
            )
        loss.item()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()

    return Job(step)


def official_pretrain(order: dict, swin: SwinTransformer) -> Job:
    """Runs the authors' loop and network as they are, with the detection of anomalies."""
    torch.autograd.set_detect_anomaly(True)  # the authors' script never turns it off
    network = OfficialNetwork(swin, 16 * order["config"]["feature_size"])
    network.to(order["device"]).train()
    return pretraining(order, network, list(network.parameters()))


def light_pretrain(order: dict) -> Job:
    """Runs the same loop with our heads on MONAI's encoder, without detection of anomalies."""
    parser = read_config(order, "pretrain_ssl", "train")
    network = parser.get_parsed_content("network_def").to(order["device"]).train()
    for module in network.modules():  # a forward of one crop has nothing to normalise over
        if isinstance(module, nn.BatchNorm1d) and order["config"]["batch_size"] == 1:
            module.eval()

    def heads(views: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out = network.all_heads(views)
        return out["rotation"], out["embedding"], out["reconstruction"]

    return pretraining(order, heads, list(network.parameters()))
