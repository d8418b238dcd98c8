"""The overlay's network: SwinUNETR by names, order and numbers, around the config's encoder."""

import pytest
import torch
from helpers import config_files
from monai.bundle import ConfigParser
from monai.networks.nets import SwinUNETR

SMALL = {"feature_size": 12, "depths": (1, 1, 1, 1), "window_size": 4}


def built(config: str, **changes) -> torch.nn.Module:
    files = config_files("pretrain_ssl", config, "objectives/volume_fusion", "demo")
    parser = ConfigParser(ConfigParser.load_config_files(files))
    parser["merging"] = "current"  # that of MONAI's own SwinUNETR
    for key, value in changes.items():
        parser[f"network_def::encoder::{key}"] = value
    return parser.get_parsed_content("network_def")


@pytest.mark.parametrize("config", ["train", "inference"])
def test_checkpoints_and_optimizer_states_of_swin_unetr_fit(scripts, config):
    network, monai = built(config).eval(), SwinUNETR(1, 5, **SMALL).eval()
    names = [list(dict(each.named_parameters())) for each in (network, monai)]
    assert names[0] == names[1] and list(network.state_dict()) == list(monai.state_dict())
    network.load_state_dict(monai.state_dict())
    image = torch.rand(1, 1, 64, 32, 32)
    with torch.no_grad():
        assert torch.equal(network(image), monai(image))


def test_every_argument_of_the_encoder_counts(scripts):
    network = built("train", drop_path_rate=0.2, patch_norm=True)
    encoder = network.swinViT
    assert encoder.patch_norm
    assert encoder.layers4[0].blocks[0].drop_path.drop_prob == pytest.approx(0.2)
    with pytest.raises(RuntimeError, match="drop_paht_rate"):
        built("train", drop_paht_rate=0.2)
