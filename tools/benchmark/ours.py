"""Times the bundles as their own configs declare them, for tools/benchmark.

Networks, losses, optimizers, engines, transforms and the settings of the `run` lists come from the
configs by their ids, so that what is timed is what a user runs. Left out is what is no part of a
step: checkpoints, curves, schedules, reading and writing files.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigParser
from torch import Tensor

from common.cli.flags import place_of
from tools.phantom import case_rng, phantom_ct

from .worker import (
    CLASSES,
    Job,
    ct_path,
    random_batch,
    volume_job,
    weights_path,
    write_ct,
)

SPACING_MM = (1.5, 1.5, 2.0)  # of the phantoms that the network is trained on, where not given
LEARNING_RATE = 3e-3
DECIDING = (".GradientClipping", ".EndOfRun")  # handlers that decide how fast a step is


def read_config(order: dict, bundle: str, name: str) -> ConfigParser:
    """Reads a bundle's config with the order's sizes and device; enters the bundle's folder.

    Sizes that are no knob of the config are set in its network, as `network_def::feature_size`.
    `overlays` of the order follow the config.
    """
    folder = Path(order["bundles"], bundle)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    parser = ConfigParser()
    names = [name, *order.get("overlays", [])]
    parser.read_config([f"configs/{name}.json" for name in names])
    network = {"network_def": parser["network_def"]}
    for size, value in order["config"].items():
        place = size if size in parser.config else place_of(size, network)
        if place:  # an inference has no batch_size
            parser[place] = value
    parser["device"] = f"$torch.device('{order['device']}')"
    return parser


def start(parser: ConfigParser) -> None:
    """Starts a config as its `run` list does, without its checks (of images too) and the engine.

    That sets the allocator, the precision and the seeds, and loads weights.
    """
    for position, item in enumerate(parser["run"][:-1]):
        if ".check_" not in item:
            parser.get_parsed_content(f"run::{position}")


def keep_freed_memory(parser: ConfigParser) -> None:
    """Runs the item of a config's `run` list that sets the allocator, and no other."""
    for position, item in enumerate(parser["run"]):
        if "keep_freed_memory" in item:
            parser.get_parsed_content(f"run::{position}")


def performance_handlers(handlers: list[dict]) -> list[dict]:
    """Selects the handlers of a config that decide how fast a step is."""
    return [handler for handler in handlers if handler["_target_"].endswith(DECIDING)]


def encoder(order: dict) -> Job:
    """Runs the pre-training network's encoder forward in evaluation."""
    parser = read_config(order, "pretrain_ssl", "train")
    start(parser)
    network = parser.get_parsed_content("network").swinViT.eval()
    image = random_batch(order)["image"].as_tensor().to(order["device"])
    is_amp, dtype = map(parser.get_parsed_content, ("amp", "amp_dtype"))

    def step() -> None:
        with torch.no_grad(), torch.autocast(order["device"], dtype, enabled=is_amp):
            network(image)

    return Job(step)


def training(order: dict, bundle: str) -> Job:
    """Runs iterations of a bundle's trainer over one batch in memory, with `prepare_batch`.

    Where an objective compares crops of a volume, those of one lie side by side.
    """
    parser = read_config(order, bundle, "train")
    per_volume = parser.get("crops_per_item", 1)
    parser["train::handlers"] = performance_handlers(parser["train::handlers"])
    parser["train::dataloader"] = [random_batch(order, per_volume)]
    parser["train::trainer::epoch_length"] = 1
    parser["train::trainer::max_epochs"] = 1
    start(parser)
    trainer = parser.get_parsed_content("train::trainer")

    def step() -> None:
        trainer.run()
        trainer.state.max_epochs += 1  # the next run goes on with the next epoch

    return Job(step)


def pretrain(order: dict) -> Job:
    return training(order, "pretrain_ssl")


def finetune(order: dict) -> Job:
    return training(order, "btcv_segmentation")


def volume(order: dict) -> Job:
    """Segments a CT from preprocessing to postprocessing; the file has been read before."""
    parser = read_config(order, "btcv_segmentation", "inference")
    parser["ckpt_path"] = weights_path(order)
    parser["handlers"] = performance_handlers(parser["handlers"])
    item = {"image": ct_path(order)}
    steps = list(enumerate(parser["spatial_transforms"]))
    for position in [n for n, step in steps if step["_target_"] == "LoadImaged"]:
        item = parser.get_parsed_content(f"spatial_transforms::{position}")(item)
    files = {"spatial_transforms": "LoadImaged", "postprocessing::transforms": "SaveImaged"}
    for id, io in files.items():
        parser[id] = [node for node in parser[id] if node["_target_"] != io]
    parser["dataset::data"] = [item]
    start(parser)
    return volume_job(parser.get_parsed_content("evaluator"), order)


def weights(order: dict) -> Job:
    """Draws the CT, and trains the network that segments it on other phantoms."""
    plan = order["training"]
    order["config"] |= {"patch_size": plan["patch_size"], "batch_size": plan["batch_size"]}
    parser = read_config(order, "btcv_segmentation", "train")
    spacing_mm = order["config"].get("spacing_mm", SPACING_MM)
    numbers = range(1, 1 + plan["phantoms"])
    shape = plan["shape"]
    cases = [phantom_ct(case_rng(0, "benchmark", n), shape, spacing_mm) for n in numbers]
    counts = sum(np.bincount(labels.ravel(), minlength=CLASSES) for _, labels in cases)
    rarity = (counts + 1.0) ** -0.5
    parser["class_weights"] = (rarity / rarity.mean()).tolist()
    start(parser)
    network, loss = map(parser.get_parsed_content, ("network", "loss"))
    crops = organ_crops(cases, plan, parser["hu_min"], parser["hu_max"])

    def step() -> None:
        write_ct(order)
        train(network, loss, crops, plan["steps"], order["device"])
        state = network.state_dict()
        for name in state:  # in place: a copy would lose the note that lies beside the tensors
            state[name] = state[name].cpu()
        torch.save(state, weights_path(order))

    return Job(step)


def organ_crops(
    cases: list[tuple[np.ndarray, np.ndarray]], plan: dict, hu_min: float, hu_max: float
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields crops around voxels of random classes: image in [0, 1], label, (B, 1, X, Y, Z)."""
    rng, size = np.random.default_rng(0), np.array(plan["patch_size"])
    places = [[np.flatnonzero(labels == n) for n in np.unique(labels)] for _, labels in cases]
    while True:
        batch = []
        for _ in range(plan["batch_size"]):
            number = rng.integers(len(cases))
            image, labels = cases[number]
            voxels = places[number][rng.integers(len(places[number]))]
            centre = np.array(np.unravel_index(rng.choice(voxels), labels.shape))
            centre += rng.integers(-size // 4, size // 4 + 1)
            first = np.clip(centre - size // 2, 0, np.array(labels.shape) - size)
            box = tuple(slice(a, a + n) for a, n in zip(first, size))
            scaled = np.clip((image[box] - hu_min) / (hu_max - hu_min), 0, 1)
            batch.append((scaled.astype(np.float32), labels[box].astype(np.float32)))
        images, labels = map(np.stack, zip(*batch))
        yield torch.from_numpy(images[:, None]), torch.from_numpy(labels[:, None])


def train(
    network: torch.nn.Module,
    loss: torch.nn.Module,
    crops: Iterator[tuple[Tensor, Tensor]],
    steps: int,
    device: str,
) -> None:
    """Trains by AdamW with one cycle of the learning rate; CUDA computes in bfloat16."""
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    network.train()
    for _ in range(steps):
        images, labels = (t.to(device) for t in next(crops))
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            value = loss(network(images).float(), labels)
        value.backward()
        optimizer.step()
        schedule.step()


JOBS = {
    "encoder": encoder,
    "pretrain": pretrain,
    "objective": pretrain,
    "recipe": pretrain,
    "finetune": finetune,
    "volume": volume,
    "weights": weights,
}
