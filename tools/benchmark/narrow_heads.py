"""Times a forward of an encoder whose heads have 4 channels, by either way to compute attention.

PyTorch's fused kernels may not take such narrow heads in half precision and fall back to another.
"""

import torch
from monai.networks.nets.swin_unetr import SwinTransformer

from common.network import attention_kernels, prepare_network

from .worker import Job

FEATURE_SIZE, HEADS = 12, (3, 6, 12, 24)  # 4 channels a head in every stage


def heads(order: dict) -> Job:
    """Makes the forward of an order: `attention`, `precision`, `edge` of the crop, `device`."""
    ways = {
        "fused kernel": attention_kernels._attend_fused,
        "products": attention_kernels._attend_in_cache,
    }
    # whatever the kernels' own choice on this device would be
    attention_kernels._attend_fused = attention_kernels._attend_in_cache = ways[order["attention"]]
    encoder = SwinTransformer(1, FEATURE_SIZE, (7,) * 3, (2,) * 3, (2,) * 4, HEADS)
    network = prepare_network(encoder.eval(), order["device"])
    image = torch.rand(1, 1, *(order["edge"],) * 3, device=order["device"])
    is_half = order["precision"] == "bfloat16"

    def step() -> None:
        with torch.no_grad(), torch.autocast(order["device"], torch.bfloat16, enabled=is_half):
            network(image)

    return Job(step)


JOBS = {"heads": heads}
