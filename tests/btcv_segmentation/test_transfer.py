"""Weights between files and networks: which tensors move, and what is refused."""

import logging
import re

import pytest
import torch
from helpers import config_files
from monai.bundle import ConfigParser
from torch import nn

ENCODER = "swinViT."


@pytest.fixture
def weights(scripts):
    return scripts.transfer


class Toy(nn.Module):
    """A network with the names that matter: 4 tensors of encoder, 2 of decoder, 2 of output."""

    def __init__(self, feature_size: int = 4, classes: int = 3, depth: int = 2) -> None:
        super().__init__()
        self.swinViT = nn.Sequential(*[nn.Linear(feature_size, feature_size) for _ in range(depth)])
        self.decoder = nn.Linear(feature_size, feature_size)
        self.out = nn.Linear(feature_size, classes)


class Pickled:
    """An object that a safe reader of weights must not create."""


def saved(path, content) -> str:
    torch.save(content, path)
    return str(path)


def copy(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def changed(network: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    after = network.state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}


def encoder_of(network: nn.Module) -> dict[str, torch.Tensor]:
    return {n: value for n, value in copy(network).items() if n.startswith(ENCODER)}


def built(bundle: str, **knobs) -> nn.Module:
    """The demo network of a bundle whose scripts are loaded."""
    parser = ConfigParser()
    parser.read_config(config_files(bundle, "train", "demo"))
    parser.update(knobs)
    return parser.get_parsed_content("network_def")


# the way from pre-training to fine-tuning


def test_encoder_moves_bit_for_bit_and_nothing_else_changes(load_scripts, tmp_path):
    pretraining = load_scripts("pretrain_ssl")
    source = built("pretrain_ssl")
    for value in source.state_dict().values():  # buffers too, so that each can be told apart
        value.copy_(torch.rand(value.shape)) if value.is_floating_point() else value.fill_(7)
    checkpoint = saved(tmp_path / "best.pt", {"network": source.state_dict(), "trainer": {"a": 1}})
    pretraining.transfer.export_encoder(checkpoint, str(tmp_path / "models/encoder.pt"))

    finetuning = load_scripts("btcv_segmentation")
    network = built("btcv_segmentation")
    before, encoder = copy(network), encoder_of(source)
    finetuning.transfer.load_pretrained(network, str(tmp_path / "models/encoder.pt"))
    assert changed(network, before) == encoder_of(network).keys() == encoder.keys()
    assert all(torch.equal(network.state_dict()[name], encoder[name]) for name in encoder)


def test_pre_training_starts_from_an_encoder(load_scripts, tmp_path):
    weights = load_scripts("pretrain_ssl").transfer
    source, network = built("pretrain_ssl"), built("pretrain_ssl")
    before = copy(network)
    weights.load_pretrained(network, saved(tmp_path / "encoder.pt", encoder_of(source)))
    assert {name.split(".")[0] for name in changed(network, before)} == {"swinViT"}
    assert encoder_of(network).keys() == encoder_of(source).keys()
    assert all(torch.equal(encoder_of(network)[n], v) for n, v in encoder_of(source).items())


def test_swin_unetr_keeps_its_decoder_for_other_classes(load_scripts, tmp_path):
    weights = load_scripts("btcv_segmentation").transfer
    source, network = built("btcv_segmentation"), built("btcv_segmentation", out_channels=3)
    before, given = copy(network), copy(source)
    weights.load_pretrained(network, saved(tmp_path / "model.pt", given))
    kept = {name for name in before if torch.equal(network.state_dict()[name], before[name])}
    assert {name for name in kept if name.startswith("out.")} == {
        "out.conv.conv.weight",
        "out.conv.conv.bias",
    }
    others = [name for name in before if not name.startswith("out.")]
    assert all(torch.equal(network.state_dict()[name], given[name]) for name in others)


# exporting


@pytest.mark.parametrize("is_checkpoint", [True, False])
def test_export_takes_the_encoder_alone(weights, tmp_path, capsys, is_checkpoint):
    state = copy(Toy())
    path = saved(tmp_path / "a.pt", {"network": state} if is_checkpoint else state)
    weights.export_encoder(path, str(tmp_path / "encoder.pt"))
    encoder = torch.load(tmp_path / "encoder.pt", weights_only=True)
    assert encoder.keys() == {f"swinViT.{i}.{kind}" for i in (0, 1) for kind in ("weight", "bias")}
    assert all(torch.equal(encoder[name], state[name]) for name in encoder)
    assert "4 tensors" in capsys.readouterr().out


def test_export_refuses_a_file_without_encoder(weights, refusal, tmp_path):
    with refusal(r"a\.pt has no encoder"):
        weights.export_encoder(saved(tmp_path / "a.pt", {"out.weight": torch.ones(1)}), "b.pt")
    assert not (tmp_path / "encoder.pt").exists()


# starting a training


@pytest.mark.parametrize("nothing", [None, ""])
def test_from_scratch_changes_nothing_and_says_so(weights, caplog, nothing):
    network = Toy()
    before = copy(network)
    with caplog.at_level(logging.INFO):
        weights.load_pretrained(network, nothing)
    assert not changed(network, before)
    assert "weights: from scratch" in caplog.text


def test_encoder_alone_leaves_the_rest(weights, tmp_path):
    source, network = Toy(), Toy()
    before = copy(network)
    weights.load_pretrained(network, saved(tmp_path / "a.pt", encoder_of(source)))
    assert changed(network, before) == encoder_of(source).keys()


@pytest.mark.parametrize("is_checkpoint", [True, False])
def test_whole_network_is_taken_from_model_or_checkpoint(weights, tmp_path, is_checkpoint):
    source, network = Toy(), Toy()
    content = {"network": copy(source), "trainer": {}} if is_checkpoint else copy(source)
    weights.load_pretrained(network, saved(tmp_path / "a.pt", content))
    assert not changed(network, copy(source))


def test_other_number_of_classes_keeps_all_but_the_last_layer(weights, tmp_path):
    source, network = Toy(classes=14), Toy(classes=3)
    before = copy(network)
    weights.load_pretrained(network, saved(tmp_path / "a.pt", copy(source)))
    assert changed(network, before) == {n for n in before if not n.startswith("out.")}


@pytest.mark.parametrize(
    "classes, others, left_out", [(3, 4, 1), (5, 2, 3)], ids=["same classes", "other classes"]
)
def test_report_counts_what_came_from_where(weights, tmp_path, caplog, classes, others, left_out):
    path = saved(tmp_path / "a.pt", copy(Toy(classes=classes)) | {"head.weight": torch.ones(1)})
    with caplog.at_level(logging.INFO):
        weights.load_pretrained(Toy(classes=3), path)
    assert caplog.messages == [
        f"weights: encoder 4 of 4 tensors, rest of the network {others} of 4 from {path}; "
        f"{left_out} left out"
    ]


def refused_content(kind: str) -> object:
    encoder = encoder_of(Toy())
    return {
        "missing tensor": {n: v for n, v in encoder.items() if n != "swinViT.1.bias"},
        "other size": encoder_of(Toy(feature_size=8)),
        "shallower": encoder_of(Toy(depth=1)),
        "no encoder": {"out.weight": torch.ones(1)},
        "foreign wrapper": {"weights": {f"module.{n}": v for n, v in encoder.items()}},
        "foreign names": {f"encoder.{n}": v for n, v in encoder.items()},
        "not only tensors": encoder | {"epoch": 3},
        "nothing": {},
        "a list": [torch.ones(1)],
        "an object": {"network": encoder, "settings": Pickled()},
    }[kind]


@pytest.mark.parametrize(
    "kind, words",
    [
        ("missing tensor", r"1 of 4 tensors missing \(such as swinViT\.1\.bias\)"),
        ("other size", "4 of 4 tensors of another shape"),
        ("shallower", "2 of 4 tensors missing"),
        ("no encoder", "4 of 4 tensors missing"),
        ("foreign wrapper", "is not a state dict"),
        ("foreign names", "4 of 4 tensors missing"),
        ("not only tensors", "is not a state dict"),
        ("nothing", "is not a state dict"),
        ("a list", "is not a state dict"),
        ("an object", "cannot be read as weights"),
    ],
)
def test_what_does_not_hold_the_encoder_is_refused(weights, refusal, tmp_path, kind, words):
    network, path = Toy(), saved(tmp_path / "a.pt", refused_content(kind))
    before = copy(network)
    with refusal(f"{re.escape(path)} .*{words}"):
        weights.load_pretrained(network, path)
    assert not changed(network, before)


def test_deeper_encoder_is_refused(weights, refusal, tmp_path):
    path = saved(tmp_path / "a.pt", encoder_of(Toy(depth=3)))
    with refusal(re.escape(path)):
        weights.load_pretrained(Toy(depth=2), path)


@pytest.mark.parametrize("content", [b"", b"this is text"])
def test_file_that_holds_no_weights_is_refused(weights, refusal, tmp_path, content):
    (tmp_path / "a.pt").write_bytes(content)
    with refusal(r"a\.pt cannot be read as weights"):
        weights.load_pretrained(Toy(), str(tmp_path / "a.pt"))


def test_truncated_file_is_refused(weights, refusal, tmp_path):
    saved(tmp_path / "a.pt", copy(Toy()))
    content = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(content[: len(content) // 2])
    with refusal(r"a\.pt cannot be read as weights"):
        weights.load_pretrained(Toy(), str(tmp_path / "a.pt"))


def test_missing_file_is_refused_with_the_remedy(weights, refusal, tmp_path):
    with refusal("none.pt do not exist; export one by configs/export_encoder.json"):
        weights.load_pretrained(Toy(), str(tmp_path / "none.pt"))


# evaluation and inference


@pytest.mark.parametrize("is_checkpoint", [True, False])
def test_evaluation_loads_every_tensor(weights, tmp_path, caplog, is_checkpoint):
    source, network = Toy(), Toy()
    content = {"network": copy(source)} if is_checkpoint else copy(source)
    path = saved(tmp_path / "a.pt", content)
    with caplog.at_level(logging.INFO):
        weights.load_weights(network, path)
    assert not changed(network, copy(source))
    assert caplog.messages == [f"weights: 8 of 8 tensors from {path}"]


@pytest.mark.parametrize(
    "other, words",
    [
        (lambda state: {n: v for n, v in state.items() if n != "out.bias"}, "1 of 8 .* missing"),
        (lambda state: state | {"new": torch.ones(1)}, r"1 of 8 tensors unknown \(such as new\)"),
        (lambda state: state | {"out.bias": torch.ones(9)}, "1 of 8 tensors of another shape"),
    ],
    ids=["missing", "unknown", "other shape"],
)
def test_evaluation_refuses_all_but_an_exact_fit(weights, refusal, tmp_path, other, words):
    network, path = Toy(), saved(tmp_path / "a.pt", other(copy(Toy())))
    before = copy(network)
    with refusal(f"{re.escape(path)} does not fit this network: {words}"):
        weights.load_weights(network, path)
    assert not changed(network, before)


def test_missing_model_says_how_to_get_one(weights, refusal, tmp_path):
    with refusal(r"model\.pt do not exist; train first \(configs/train\.json\)"):
        weights.load_weights(Toy(), str(tmp_path / "model.pt"))


# files of the official scripts


def official(name: str) -> str:
    """The name in `model_swinvit.pt` of a tensor of SwinUNETR's encoder."""
    return "module." + name.removeprefix(ENCODER).replace(".mlp.linear", ".mlp.fc")


@pytest.mark.parametrize(
    "rename",
    [
        official,
        lambda name: name,
        lambda name: "module." + name,
        lambda name: name.replace(ENCODER, "swin_vit."),
        lambda name: "module." + name.replace(ENCODER, "swin_vit."),
    ],
)
def test_every_tensor_of_an_official_encoder_arrives(load_scripts, tmp_path, caplog, rename):
    caplog.set_level(logging.INFO)
    weights, network = load_scripts("btcv_segmentation").transfer, built("btcv_segmentation")
    given = {name: torch.rand_like(v.float()).to(v) for name, v in encoder_of(network).items()}
    content = {rename(name): value for name, value in given.items()}
    heads = {"module.rotation_head.weight": torch.rand(4, 4), "module.norm.weight": torch.rand(4)}
    file = saved(tmp_path / "model_swinvit.pt", {"state_dict": content | heads, "epoch": 7})
    weights.load_pretrained(network, file)
    arrived = encoder_of(network)
    assert all(torch.equal(arrived[name], value) for name, value in given.items())
    assert f"encoder {len(given)} of {len(given)} tensors" in caplog.text
    assert "2 left out" in caplog.text


def test_names_of_the_decoder_stay_as_they_are(weights):
    for name in (
        "encoder1.layer.conv1.conv.weight",
        "decoder5.transp_conv.conv.weight",
        "out.bias",
    ):
        assert weights.swin_unetr_name(name) == name
