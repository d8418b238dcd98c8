"""The pre-training network, built from its configs; its encoder is the one of SwinUNETR."""

import pytest
import torch
from helpers import config_files, import_scripts
from monai.bundle import ConfigParser
from monai.networks.nets import SwinUNETR

CROP = (64, 64, 32)
ENCODER = "swinViT."


@pytest.fixture
def build():
    """`build(bundle, *configs)` is the `network_def` of merged config files."""

    def network(bundle: str, *names: str) -> torch.nn.Module:
        import_scripts(bundle)
        parser = ConfigParser()
        parser.read_config(config_files(bundle, *names))
        return parser.get_parsed_content("network_def")

    return network


def encoder_keys(network: torch.nn.Module) -> set[str]:
    return {name for name in network.state_dict() if name.startswith(ENCODER)}


def parameters(module: torch.nn.Module) -> float:
    """Millions of parameters."""
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def test_training_returns_what_the_loss_needs(build):
    output = build("pretrain_ssl", "train", "demo").train()(torch.rand(2, 1, *CROP))
    shapes = {name: tuple(value.shape) for name, value in output.items()}
    assert shapes == {
        "rotation": (2, 4),
        "embedding": (2, 512),
        "reconstruction": (2, 1, *CROP),
    }


def test_evaluation_returns_one_image(build):
    network, image = build("pretrain_ssl", "train", "demo").eval(), torch.rand(2, 1, *CROP)
    with torch.no_grad():
        output = network(image)
        assert output.shape == image.shape
        assert torch.equal(output, network.all_heads(image)["reconstruction"])


def test_every_parameter_gets_a_gradient(build):
    network = build("pretrain_ssl", "train", "demo").train()
    output = network(torch.rand(2, 1, *CROP))
    sum(value.square().mean() for value in output.values()).backward()
    without = [name for name, value in network.named_parameters() if value.grad is None]
    assert without == []


def test_validation_gets_all_heads_without_batch_statistics(build, base):
    network, image = build("pretrain_ssl", "train", "demo").eval(), torch.rand(2, 1, *CROP)
    inferer = base.ValidationInferer()
    with torch.no_grad():
        both, first = inferer(image, network), inferer(image[:1], network)
    assert set(both) == {"rotation", "embedding", "reconstruction"}
    assert torch.allclose(both["embedding"][:1], first["embedding"], atol=1e-5)


def test_encoder_features_equal_those_within_swin_unetr(build):
    network = build("pretrain_ssl", "train", "demo").eval()
    unetr = build("btcv_segmentation", "train", "demo").eval()
    unetr.swinViT.load_state_dict(network.swinViT.state_dict())
    features = []
    for encoder in (network.swinViT, unetr.swinViT):
        encoder.register_forward_hook(lambda module, given, output: features.append(output))
    image = torch.rand(1, 1, *CROP)
    with torch.no_grad():
        network(image), unetr(image)
    assert len(features[0]) == len(features[1]) == 5
    assert all(torch.equal(own, theirs) for own, theirs in zip(*features))


def test_demo_encoder_has_swin_unetrs_names(build):
    own = encoder_keys(build("pretrain_ssl", "train", "demo"))
    unetr = build("btcv_segmentation", "train", "demo")
    assert own == encoder_keys(unetr)
    assert isinstance(unetr, SwinUNETR)


def test_full_encoder_has_swin_unetrs_names_and_the_papers_size(build):
    own = build("pretrain_ssl", "train")
    unetr = build("btcv_segmentation", "train")
    assert encoder_keys(own) == encoder_keys(unetr)
    assert parameters(own.swinViT) == pytest.approx(8.06, abs=0.01)
    assert parameters(unetr.swinViT) == pytest.approx(8.06, abs=0.01)
    assert parameters(unetr) == pytest.approx(62.2, abs=0.1)


def test_validation_reaches_the_network_within_a_ddp_wrapper(build, base):
    network, image = build("pretrain_ssl", "train", "demo").eval(), torch.rand(1, 1, *CROP)
    inferer = base.ValidationInferer()
    wrapper = torch.nn.Module()
    wrapper.module = network
    with torch.no_grad():
        assert set(inferer(image, wrapper)) == {"rotation", "embedding", "reconstruction"}


@pytest.mark.parametrize("heads", ["objectives/heads_paper", "objectives/heads_official"])
def test_presets_of_the_heads_train_and_restore(build, heads):
    network, image = build("pretrain_ssl", "train", "demo", heads), torch.rand(2, 1, *CROP)
    output = network.train()(image)
    assert {name: tuple(value.shape) for name, value in output.items()} == {
        "rotation": (2, 4),
        "embedding": (2, 512),
        "reconstruction": (2, 1, *CROP),
    }
    sum(value.square().mean() for value in output.values()).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("heads", [(), ("objectives/heads_official",)])
def test_chunks_change_neither_outputs_nor_gradients(build, heads):
    network = (
        build("pretrain_ssl", "train", "demo", *heads).train().double()
    )  # rounding is no excuse
    image = torch.rand(4, 1, *CROP, dtype=torch.float64)
    outputs, gradients = [], []
    for chunk_size in (None, 2, 3):
        network.zero_grad()
        outputs.append(network(image, chunk_size))
        # a loss in which every view depends on every other
        similarity = outputs[-1]["embedding"] @ outputs[-1]["embedding"].T
        restored = outputs[-1]["reconstruction"].square().mean()
        (similarity.logsumexp(1).mean() + outputs[-1]["rotation"].var() + restored).backward()
        gradients.append({name: p.grad.clone() for name, p in network.named_parameters()})
    for chunked, gradient in zip(outputs[1:], gradients[1:]):
        for name, value in outputs[0].items():
            assert torch.allclose(chunked[name], value, rtol=1e-9, atol=1e-12)
        for name, value in gradients[0].items():
            assert torch.allclose(gradient[name], value, rtol=1e-7, atol=1e-11)


def test_chunks_keep_the_activations_of_one_chunk_alone(build):
    network, image = build("pretrain_ssl", "train", "demo").train(), torch.rand(8, 1, *CROP)

    def saved_bytes(chunk_size):
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: kept.append(tensor.nbytes) or tensor, lambda tensor: tensor
        ):
            network(image, chunk_size)
        return sum(kept)

    assert saved_bytes(2) < saved_bytes(None) / 5
