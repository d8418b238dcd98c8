"""Runs MONAI's public classes as the public scripts do: the reference of tools/benchmark.

Pre-training and fine-tuning follow the authors' scripts (Project-MONAI/research-contributions,
SwinUNETR), whole volumes the model zoo's bundle `swin_unetr_btcv_segmentation`. One departure, so
that labels can be compared: windows are blended by the same Gaussian weights as ours, where the
zoo's bundle weighs all voxels alike, which takes the same time. Gradient checkpointing is on at
feature size 48, as in the authors' commands for one GPU, and off for the small networks of a CPU.
"""

import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from monai.inferers import SlidingWindowInferer
from monai.losses import DiceCELoss
from monai.networks.nets import SwinUNETR
from monai.networks.nets.swin_unetr import SwinTransformer
from monai.transforms import (
    Activationsd,
    AsDiscreted,
    Compose,
    EnsureChannelFirstd,
    EnsureTyped,
    Invertd,
    LoadImaged,
    Orientationd,
    ScaleIntensityRanged,
    Spacingd,
)

from .crops import official
from .crops import ours as our_crops
from .ours import keep_freed_memory, read_config
from .pretraining import half_precision, light_pretrain, official_pretrain
from .worker import CLASSES, Job, ct_path, random_batch, volume_job, weights_path

HEADS = (3, 6, 12, 24)


def architecture(config: dict) -> dict:
    """Returns the arguments that `SwinTransformer` and `SwinUNETR` share."""
    return {
        "depths": config.get("depths", (2, 2, 2, 2)),
        "num_heads": HEADS,
        "window_size": config.get("window_size", (7, 7, 7)),
        "use_checkpoint": config.get("use_checkpoint", True),
    }


def swin_transformer(order: dict) -> SwinTransformer:
    config = order["config"]
    return SwinTransformer(
        in_chans=1,
        embed_dim=config["feature_size"],
        patch_size=(2, 2, 2),
        **architecture(config),
    ).to(order["device"])


def swin_unetr(order: dict) -> SwinUNETR:
    config = order["config"]
    size = config["feature_size"]
    return SwinUNETR(1, CLASSES, feature_size=size, **architecture(config)).to(order["device"])


def encoder(order: dict) -> Job:
    network = swin_transformer(order).eval()
    image = random_batch(order)["image"].as_tensor().to(order["device"])

    def step() -> None:
        with torch.no_grad(), half_precision(order["device"]):
            network(image)

    return Job(step)


def finetune(order: dict) -> Job:
    network = swin_unetr(order).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=1e-5)
    loss_function = DiceCELoss(to_onehot_y=True, softmax=True)
    batch, device = random_batch(order), order["device"]
    scaler = torch.amp.GradScaler(device, enabled=device == "cuda")

    def step() -> None:
        images, labels = (batch[key].as_tensor().to(device) for key in ("image", "label"))
        optimizer.zero_grad()
        with half_precision(device):
            loss = loss_function(network(images), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        loss.item()

    return Job(step)


def volume(order: dict) -> Job:
    """Runs the zoo bundle's transforms, inferer and evaluator; reads and writes no files."""
    config = order["config"]
    item = LoadImaged("image")({"image": ct_path(order)})
    preprocessing = Compose(
        [
            EnsureChannelFirstd("image"),
            Orientationd("image", axcodes="RAS", labels=None),
            Spacingd("image", pixdim=config.get("spacing_mm", (1.5, 1.5, 2.0)), mode="bilinear"),
            ScaleIntensityRanged("image", -175, 250, 0.0, 1.0, clip=True),
            EnsureTyped("image"),
        ]
    )
    postprocessing = Compose(
        [
            Activationsd("pred", softmax=True),
            Invertd("pred", preprocessing, "image", nearest_interp=False, to_tensor=True),
            AsDiscreted("pred", argmax=True),
        ]
    )
    network = swin_unetr(order)
    network.load_state_dict(torch.load(weights_path(order), weights_only=True))
    evaluator = SupervisedEvaluator(
        device=torch.device(order["device"]),
        val_data_loader=DataLoader(Dataset([item], preprocessing), batch_size=1),
        network=network,
        inferer=SlidingWindowInferer(config["patch_size"], 4, 0.5, mode="gaussian"),
        postprocessing=postprocessing,
        amp=order["device"] == "cuda",
    )
    return volume_job(evaluator, order)


def build(order: dict) -> Job:
    """Builds the job of an order whose `side` is `reference`, or one with a part of our work.

    `reference_allocator` keeps freed memory as the bundles do; `reference_light` pre-trains our
    heads on MONAI's encoder; `ours_compressed` is no reference: our crops from the files that the
    reference reads.
    """
    if order["side"] == "ours_compressed":
        return our_crops(order)
    torch.backends.cudnn.benchmark = True
    if order["side"] == "reference_allocator":
        keep_freed_memory(read_config(order, "btcv_segmentation", "train"))
    if order["side"] == "reference_light":
        return light_pretrain(order)
    return JOBS[order["task"]](order)


JOBS = {
    "crops": official,
    "encoder": encoder,
    "pretrain": lambda order: official_pretrain(order, swin_transformer(order)),
    "finetune": finetune,
    "volume": volume,
}
