"""An encoder built from its file alone, and `embeddings.json` on it."""

import csv
import importlib
import re

import pytest
import torch
from bundle_runs import run_here
from weight_layouts import LAYOUTS, WITH_V2, built, copied, encoder_of, saved, smit

NOTE = {"spacing_mm": [1.5, 1.5, 1.5], "intensity_min": -1000, "intensity_max": 1000}
KINDS = ("model_swinvit", "disruptive autoencoders", "SuPreM", "checkpoint of a run", "VoCo")
OTHERS = {"no bias": {"qkv_bias": False}, "patch norm": {"patch_norm": True}}


@pytest.fixture
def encoder_file(scripts):
    return importlib.import_module("scripts.embeddings")


@pytest.mark.parametrize("kind", [*KINDS, *OTHERS])
def test_architecture_and_tensors_are_those_of_the_file(encoder_file, tmp_path, kind):
    legacy = kind in ("model_swinvit", "disruptive autoencoders", "SuPreM")
    changes = {"depths": [1, 2, 1, 1], "num_heads": [2, 2, 4, 4], "window_size": [5, 5, 5]}
    changes |= {"use_v2": kind in WITH_V2} | OTHERS.get(kind, {})
    state = copied(built("legacy" if legacy else "current", **changes))
    make = (LAYOUTS | WITH_V2).get(kind, (0, 0, 0, dict))[-1]
    network = encoder_file.EncoderOfFile(saved(tmp_path / "a.pt", make(state)), NOTE)
    expected = encoder_of(state)
    assert network.state_dict().keys() == expected.keys()
    assert all(torch.equal(network.state_dict()[name], expected[name]) for name in expected)
    merging = {module.merging for module in network.modules() if hasattr(module, "merging")}
    assert merging == {"legacy" if legacy else "current"}


def test_a_window_that_is_no_cube_is_the_files(encoder_file, tmp_path):
    state = copied(built(window_size=[2, 4, 8]))
    network = encoder_file.EncoderOfFile(saved(tmp_path / "a.pt", state), NOTE)
    assert tuple(network.swinViT.window_size) == (2, 4, 8)
    assert all(torch.equal(network.state_dict()[name], state[name]) for name in encoder_of(state))


def test_a_file_is_read_once(encoder_file, tmp_path, monkeypatch):
    module = importlib.import_module("scripts.embeddings.encoder_of_file")
    layouts = importlib.import_module("scripts.common.weights.layouts")
    path, paths, read = saved(tmp_path / "a.pt", copied(built())), [], layouts.read_state_dict

    def counted(path, remedy):
        paths.append(path)
        return read(path, remedy)

    monkeypatch.setattr(layouts, "read_state_dict", counted)
    module.EncoderOfFile(path, NOTE)
    assert paths == [path]


def test_of_smit_too(encoder_file, tmp_path):
    changes = {"qkv_bias": False, "patch_norm": True, "num_heads": [4, 4, 4, 4]}
    state = copied(built(**changes))
    network = encoder_file.EncoderOfFile(saved(tmp_path / "a.pt", smit(state)), NOTE)
    assert all(torch.equal(network.state_dict()[name], state[name]) for name in encoder_of(state))


def test_what_cannot_be_built_or_was_trained_otherwise_is_refused(
    encoder_file, refusal, scripts, tmp_path
):
    preprocessing_note = importlib.import_module("scripts.common.weights.preprocessing_note")
    with refusal("does not show its encoder's window_size; give a file with a whole encoder"):
        state = {
            name: value
            for name, value in copied(built(window_size=[2, 4, 8])).items()
            if not name.endswith("relative_position_index")
        }
        encoder_file.EncoderOfFile(saved(tmp_path / "a.pt", state), NOTE)
    with refusal("has input channels 4"):
        network = built(in_channels=4)
        encoder_file.EncoderOfFile(saved(tmp_path / "a.pt", copied(network)), NOTE)
    network = built()
    preprocessing_note.attach_metadata(network, NOTE | {"spacing_mm": [2.0, 2.0, 2.0]})
    with refusal(r"trained with spacing 2 x 2 x 2 mm, here 1\.5 .*--spacing_mm"):
        encoder_file.EncoderOfFile(saved(tmp_path / "a.pt", network.state_dict()), NOTE)


def test_embeddings_of_an_encoder_file_are_those_of_the_inference(pretrained, phantoms, tmp_path):
    flags = ["--dataset_dir", phantoms / "corpus", "--embedding_stages", "[1,4]"]
    flags += ["--output_dir", tmp_path / "b"]
    settings = ["--spacing_mm", "[5.0,5.0,5.0]", "--patch_size", "[64,64,32]"]
    done = run_here(pretrained, "embeddings", *flags, *settings)
    assert "encoder 70 of 70 tensors from ./models/encoder.pt" in done.stdout + done.stderr
    with (tmp_path / "b/embeddings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert list(rows[0])[1:] == [f"stage{s}_{f}" for s, n in ((1, 24), (4, 192)) for f in range(n)]
    run_here(pretrained, "inference demo", *flags[:2], "--output_dir", tmp_path / "c")
    with (tmp_path / "c/embeddings.csv").open(newline="") as file:
        others = list(csv.DictReader(file))
    for row, other in zip(rows, others):
        assert row == {name: other[name] for name in row}


@pytest.mark.slow
def test_embeddings_of_a_fine_tuned_network(pretrained, finetuned, phantoms, tmp_path):
    folder, _ = finetuned
    flags = ["--dataset_dir", phantoms / "corpus", "--ckpt_path", folder / "models/model.pt"]
    flags += ["--output_dir", tmp_path, "--patch_size", "[64,64,32]"]
    refused = run_here(pretrained, "embeddings", *flags, check=False)
    assert refused.returncode == 1 and "give the settings of its training" in refused.stderr
    low, high = re.search(r"intensity (\S+) to (\S+) as 0 to 1, here", refused.stderr).groups()
    spacing = refused.stderr.partition("spacing ")[2].partition(" mm")[0].replace(" x ", ",")
    flags += ["--spacing_mm", f"[{spacing}]", "--hu_min", low, "--hu_max", high]
    run_here(pretrained, "embeddings", *flags)
    assert (tmp_path / "embeddings.csv").read_text().count("\n") == 5
