"""The fast attention against MONAI's own: outputs, gradients, copies, compilation, precision."""

import copy
import pickle

import onnxruntime
import pytest
import torch
from monai.data import MetaTensor
from monai.networks.nets import SwinUNETR
from monai.networks.nets.swin_unetr import BasicLayer, SwinTransformer
from monai.networks.utils import convert_to_onnx
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from common.network import fast_attention, patch_merging

OUTPUT, GRADIENT = 1e-5, 1e-4  # largest difference over largest magnitude, float32

# Voxels whose token grids (half, quarter, …) give padded, exact and clipped windows.
SHAPES = {
    "clipped": (32, 32, 32),  # 16 padded to 21, 8 to 14, 4 and 2 clipped
    "shifted edge without padding": (28, 28, 28),  # 14 is two windows; 7 is clipped
    "padding beyond the last window": (48, 48, 48),  # 24 padded to 28, 12 to 14
    "non-cubic": (64, 32, 96),
}


def lively(network: nn.Module) -> nn.Module:
    """Random biases as large as trained ones: MONAI starts them near or at zero."""
    for name, parameter in network.named_parameters():
        if name.endswith("relative_position_bias_table"):
            nn.init.normal_(parameter, std=1.0)
        elif name.endswith("bias"):
            nn.init.normal_(parameter, std=0.3)
    return network


def downsample(kind: object) -> object:
    """The class for `legacy`; anything else as it is."""
    return patch_merging.LegacyPatchMerging if kind == "legacy" else kind


def encoder(depths=(2, 2, 2, 2), feature_size=12, **options) -> SwinTransformer:
    settings = {"window_size": (7, 7, 7), "patch_size": (2, 2, 2), "num_heads": (3, 6, 12, 24)}
    options = {name: downsample(value) for name, value in options.items()}
    return lively(SwinTransformer(1, feature_size, depths=depths, **settings | options))


def difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def rms_difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Of rounding errors the same to 1 % from draw to draw, where the largest moves by 5 %."""
    return ((ours - theirs).float().norm() / theirs.norm()).item()


def outputs(network: nn.Module, image: torch.Tensor) -> list[torch.Tensor]:
    """Outputs of a training step, whose gradients are left in the parameters.

    Weights that differ from output to output: the mean of a normalised output has no gradient.
    """
    found = network(image)
    found = found if isinstance(found, list) else [found]
    generator = torch.Generator().manual_seed(1)
    sum((out * torch.randn(out.shape, generator=generator)).sum() for out in found).backward()
    return found


def assert_equal(ours: nn.Module, theirs: nn.Module, image: torch.Tensor) -> list[torch.Tensor]:
    """Compares outputs and gradients of a training step; returns MONAI's outputs."""
    found = outputs(theirs, image)
    for mine, monai in zip(outputs(ours, image), found):
        assert difference(mine, monai) < OUTPUT
    expected = dict(theirs.named_parameters())
    assert any("relative_position_bias_table" in name for name in expected)
    for name, parameter in ours.named_parameters():
        if expected[name].grad is None:  # the encoder of a network that uses one output only
            assert parameter.grad is None
        else:
            assert difference(parameter.grad, expected[name].grad) < GRADIENT, name
    return found


WIDE = ("clipped", "shifted edge without padding")  # shapes of few tokens, fast at 48 too


@pytest.mark.parametrize(
    ("shape", "feature_size"),  # below and at the width for the fused kernel
    [(shape, 12) for shape in SHAPES]
    + [pytest.param(s, 48, marks=[] if s in WIDE else pytest.mark.slow) for s in SHAPES],
)
def test_encoder_equals_monai(shape, feature_size):
    plain = encoder(feature_size=feature_size, depths=(2, 2, 2, 1))
    fast = fast_attention.accelerate(copy.deepcopy(plain))
    image = torch.rand(1, 1, *SHAPES[shape])
    expected = assert_equal(fast, plain, image)
    with torch.no_grad():
        for mine, monai in zip(fast(image), expected):
            assert difference(mine, monai) < OUTPUT


def test_the_papers_crop_equals_monai():
    """96³: 48³, 24³, 12³ and 6³ tokens."""
    plain, image = encoder(), torch.rand(1, 1, 96, 96, 96)
    fast = fast_attention.accelerate(copy.deepcopy(plain))
    with torch.no_grad():
        for mine, monai in zip(fast(image), plain(image)):
            assert difference(mine, monai) < OUTPUT


@pytest.mark.slow
def test_gradients_of_the_papers_crop_equal_monais():
    plain = encoder()
    fast = fast_attention.accelerate(copy.deepcopy(plain))
    assert_equal(fast, plain, torch.rand(1, 1, 96, 96, 96))


@pytest.mark.parametrize("batch", [2, 3, 4])
def test_batches_equal_monai(batch):
    plain = encoder(depths=(2, 2, 1, 1))
    assert_equal(
        fast_attention.accelerate(copy.deepcopy(plain)), plain, torch.rand(batch, 1, 32, 64, 32)
    )


@pytest.mark.parametrize(
    "options",
    [
        {"use_checkpoint": True},
        {"qkv_bias": False},
        {"window_size": (4, 4, 4)},
        {"window_size": (7, 5, 2)},
        {"use_v2": True},
        {"downsample": "mergingv2"},
        {"downsample": "legacy"},
        {"spatial_dims": 2, "window_size": (7, 7), "patch_size": (2, 2)},
    ],
    ids=lambda options: " ".join(options),
)
def test_options_of_the_encoder_equal_monai(options):
    plain = encoder(**options)
    shape = (64, 96) if options.get("spatial_dims") == 2 else (64, 32, 32)
    assert_equal(fast_attention.accelerate(copy.deepcopy(plain)), plain, torch.rand(2, 1, *shape))


@pytest.mark.parametrize("use_checkpoint", [False, True])
def test_swin_unetr_equals_monai(use_checkpoint):
    """Gradients with a smooth activation in the decoder: see the next test."""
    plain = lively(SwinUNETR(1, 3, feature_size=12, use_checkpoint=use_checkpoint))
    for module in [module for module in plain.modules() if hasattr(module, "lrelu")]:
        module.lrelu = nn.SiLU()
    fast = fast_attention.accelerate(copy.deepcopy(plain))
    assert fast.state_dict().keys() == plain.state_dict().keys()
    assert type(fast) is SwinUNETR
    assert_equal(fast, plain, torch.rand(1, 1, 64, 64, 32))


def test_swin_unetr_as_it_is_differs_by_rounding_alone():
    """A leaky ReLU's slope jumps at zero, so MONAI's own gradients do when the input is rounded
    differently, by up to 1e-2; ours stay within what such a rounding does to MONAI's."""
    plain = lively(SwinUNETR(1, 3, feature_size=12))
    fast, rounded = fast_attention.accelerate(copy.deepcopy(plain)), copy.deepcopy(plain)
    image = torch.rand(1, 1, 64, 64, 32)
    ours, theirs = outputs(fast, image)[0], outputs(plain, image)[0]
    assert difference(ours, theirs) < OUTPUT
    outputs(rounded, image * (1 + 1e-7))
    expected = dict(plain.named_parameters())
    ours, theirs = (
        max(difference(p.grad, expected[name].grad) for name, p in network.named_parameters())
        for network in (fast, rounded)
    )
    assert ours <= 10 * max(theirs, GRADIENT)


def test_a_padding_token_is_a_key_like_any_other(monkeypatch):
    """Left out, it would be missed by far more than rounding: the comparisons here do see it."""
    plain = encoder(depths=(1, 1, 1, 1))
    fast = fast_attention.accelerate(copy.deepcopy(plain))
    image = torch.rand(1, 1, 32, 32, 32)
    monkeypatch.setattr(fast_attention.WindowGroup, "is_padded", False)
    with torch.no_grad():
        assert difference(fast(image)[1], plain(image)[1]) > 100 * OUTPUT


def test_switching_off_gives_monais_forward_back():
    network = encoder(depths=(1, 1, 1, 1))
    expected = {name: type(module) for name, module in network.named_modules()}
    fast_attention.accelerate(network)
    assert {name: type(m) for name, m in network.named_modules()} != expected
    fast_attention.accelerate(network, is_on=False)
    assert {name: type(m) for name, m in network.named_modules()} == expected


def test_attention_dropout_runs_as_monais():
    plain = encoder(depths=(2, 1, 1, 1), attn_drop_rate=0.5)
    fast = fast_attention.accelerate(copy.deepcopy(plain))
    image = torch.rand(1, 1, 32, 32, 32)
    for mode in (True, False):
        torch.manual_seed(3)
        expected = plain.train(mode)(image)[-1]
        torch.manual_seed(3)
        assert difference(fast.train(mode)(image)[-1], expected) < OUTPUT


def test_copies_and_pickles_stay_fast():
    fast = fast_attention.accelerate(encoder(depths=(1, 1, 1, 1)))
    for twin in (copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))):
        assert isinstance(twin.layers1[0], fast_attention.FastLayer)
        assert type(twin.layers1[0]) is not BasicLayer


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_is_as_exact_as_monais(dtype):
    plain = encoder()
    fast = fast_attention.accelerate(copy.deepcopy(plain))
    images = torch.rand(3, 1, 48, 48, 48)
    with torch.no_grad():
        exact = plain(images)
        with torch.autocast("cpu", dtype):
            ours, theirs = fast(images), plain(images)
    errors = [(rms_difference(a, e), rms_difference(b, e)) for a, b, e in zip(ours, theirs, exact)]
    mean = [sum(error[i] for error in errors) for i in (0, 1)]
    assert mean[0] <= 1.03 * mean[1], errors


def test_gradients_under_autocast_are_no_less_exact_than_monais():
    plain = encoder(depths=(2, 2, 1, 1))
    image = torch.rand(2, 1, 48, 48, 48)
    outputs(plain, image)
    exact = {name: p.grad for name, p in plain.named_parameters() if p.grad is not None}
    errors = []
    for network in (fast_attention.accelerate(copy.deepcopy(plain)), copy.deepcopy(plain)):
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            outputs(network, image)
        found = {name: p.grad for name, p in network.named_parameters()}
        errors.append(sum(difference(found[name], exact[name]) for name in exact) / len(exact))
    assert errors[0] <= errors[1]


def test_an_image_with_metadata_is_taken():
    plain = encoder(depths=(1, 1, 1, 1))
    fast = fast_attention.accelerate(copy.deepcopy(plain))
    image = torch.rand(1, 1, 32, 32, 32)
    for mine, monai in zip(fast(MetaTensor(image)), plain(image)):
        assert difference(mine.as_subclass(torch.Tensor), monai) < OUTPUT


# What is built from a network: our own class of patch merging fast, MONAI's own slow
EXPORTED = [pytest.param("merging", marks=pytest.mark.slow), "legacy"]


@pytest.mark.parametrize("merging", EXPORTED)
def test_tracing_equals_eager(merging):
    """What `ckpt_export --use_trace True` does."""
    options = {"feature_size": 12, "depths": (2, 1, 1, 1), "downsample": downsample(merging)}
    fast = fast_attention.accelerate(lively(SwinUNETR(1, 2, **options))).eval()
    image = torch.rand(1, 1, 64, 32, 32)
    with torch.no_grad():
        traced = torch.jit.trace(fast, image)
        other = torch.rand(3, 1, 64, 32, 32)
        assert difference(traced(other), fast(other)) < OUTPUT


@pytest.mark.parametrize("merging", EXPORTED)
def test_onnx_equals_eager(merging, tmp_path):
    """What `onnx_export --use_trace True` does; fast layers are exported as MONAI's attention."""
    options = {"feature_size": 12, "depths": (2, 1, 1, 1), "downsample": downsample(merging)}
    fast = fast_attention.accelerate(lively(SwinUNETR(1, 2, **options))).eval()
    image, path = torch.rand(1, 1, 64, 32, 32), str(tmp_path / "model.onnx")
    convert_to_onnx(fast, [image], use_trace=True, filename=path, dynamo=False)
    session = onnxruntime.InferenceSession(path)
    (found,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    with torch.no_grad():
        assert difference(torch.from_numpy(found), fast(image)) < OUTPUT


@pytest.mark.parametrize(
    "training",
    [
        pytest.param(True, id="training", marks=pytest.mark.slow),
        pytest.param(False, id="inference"),
    ],
)
@pytest.mark.parametrize("merging", EXPORTED)
def test_compiled_equals_monai(training, merging):
    """By a backend that needs no compiler; it captures forward and backward as compiling does."""
    plain = encoder(depths=(2, 1, 1, 1), downsample=merging)
    fast = torch.compile(
        fast_attention.accelerate(copy.deepcopy(plain)), backend="aot_eager", fullgraph=True
    )
    image = torch.rand(1, 1, 32, 32, 32)
    if training:
        for mine, monai in zip(outputs(fast, image), outputs(plain, image)):
            assert difference(mine, monai) < OUTPUT
        theirs = dict(plain.named_parameters())
        for name, parameter in fast._orig_mod.named_parameters():
            assert difference(parameter.grad, theirs[name].grad) < GRADIENT, name
    else:
        with torch.no_grad():
            for mine, monai in zip(fast(image), plain(image)):
                assert difference(mine, monai) < OUTPUT


on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@pytest.mark.gpu
@on_a_gpu
@pytest.mark.parametrize("feature_size", [12, 48])
def test_encoder_on_a_gpu_equals_monai(feature_size, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    plain = encoder(feature_size=feature_size).cuda()
    fast = fast_attention.accelerate(copy.deepcopy(plain))
    image = torch.rand(2, 1, 96, 64, 32, device="cuda")
    for mine, monai in zip(fast(image), plain(image)):
        assert difference(mine, monai) < OUTPUT
    for network in (fast, plain):
        torch.stack([(out**3).mean() for out in network(image)]).sum().backward()
    theirs = dict(plain.named_parameters())
    for name, parameter in fast.named_parameters():
        assert difference(parameter.grad, theirs[name].grad) < GRADIENT, name


@pytest.mark.gpu
@on_a_gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_scores_are_never_materialised_on_a_gpu(dtype):
    """Only the kernel that keeps them inside is allowed; PyTorch raises where it cannot serve."""
    fast = fast_attention.accelerate(encoder(feature_size=48)).cuda()
    image = torch.rand(1, 1, 96, 96, 96, device="cuda")
    with torch.no_grad(), sdpa_kernel(SDPBackend.EFFICIENT_ATTENTION):
        with torch.autocast("cuda", dtype, enabled=dtype != torch.float32):
            fast(image)
