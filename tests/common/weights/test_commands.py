"""`python -m scripts weights` and the public files, as a user runs them."""

import functools
import hashlib
import http.server
import re
import threading
from pathlib import Path

import pytest
import torch
from bundle_runs import copy_bundle, last_line, python_here
from helpers import BUNDLES
from monai.bundle import ConfigParser
from weight_layouts import LAYOUTS, OF_LEGACY, built, copied, encoder_of, model_swinvit, saved

from common.weights import commands, preprocessing_note

CT = {"spacing_mm": [1.5, 1.5, 2.0], "intensity_min": -175, "intensity_max": 250}


def test_inspect_tells_layout_architecture_and_settings(tmp_path):
    network = built(out_channels=3, depths=[1, 2, 1, 1], use_v2=True)
    preprocessing_note.attach_metadata(network, CT)
    path = saved(tmp_path / "model.pt", {"network": network.state_dict()})
    told = commands.inspect(path).splitlines()
    assert told[0] == path
    assert dict(re.split(r" {2,}|(?<=trained with) ", line, maxsplit=1) for line in told[1:]) == {
        "layout": "SwinUNETR with use_v2, as VoCo",
        "encoder": "92 of 92 tensors",
        "decoder": "33 of 33 tensors",
        "others": "none",
        "architecture": "feature size 12, depths 1,2,1,1, heads 3,6,12,24, window size 4, "
        "use_v2 True, patch_norm False, qkv_bias True, input channels 1, classes 3",
        "merging": "current, by its note",
        "trained with": "spacing 1.5 x 1.5 x 2 mm, intensity -175 to 250",
        "training": "nothing that it carries",
        "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest(),
    }


def test_inspect_counts_images_by_the_kind_of_their_digests(tmp_path):
    network = built()
    note = CT | {"training_images": ["v2:0a", "0b", "v2:0c"]}
    preprocessing_note.attach_metadata(network, note)
    told = commands.inspect(saved(tmp_path / "model.pt", network.state_dict()))
    assert re.search("training +2 labelled images, 1 labelled images by older digests\n", told)


def test_inspect_names_what_is_missing_and_what_is_beside(tmp_path):
    content = model_swinvit(copied(built("legacy")))
    del content["state_dict"]["module.layers2.0.blocks.0.norm1.bias"]
    told = commands.inspect(saved(tmp_path / "a.pt", content))
    assert "69 of 70 tensors (swinViT.layers2.0.blocks.0.norm1.bias is missing)" in told
    assert re.search("decoder +none\n", told) and "3 of pre-training's heads" in told
    assert "trained with  nothing that it carries" in told


@pytest.mark.parametrize("kind", LAYOUTS)
def test_what_is_converted_is_swin_unetrs_own(tmp_path, kind):
    _, has_decoder, _, make = LAYOUTS[kind]
    merging = "legacy" if kind in OF_LEGACY else "current"
    state = copied(built(merging, depths=[2, 1, 1, 1]))
    told = commands.convert(saved(tmp_path / "a.pt", make(state)), str(tmp_path / "new/b.pt"))
    made = torch.load(tmp_path / "new/b.pt", weights_only=True)
    expected = state if has_decoder else encoder_of(state)
    assert made.keys() == expected.keys()
    is_other_class = kind == "disruptive autoencoders"
    same = [name for name in made if not (is_other_class and name.startswith("out."))]
    assert all(torch.equal(made[name], expected[name]) for name in same)
    assert preprocessing_note.merging_in(made) == merging
    assert "encoder 84 of 84 tensors" in told and f"patch merging {merging}, by " in told
    assert ("decoder 33 of 33 tensors" if has_decoder else "decoder none") in told


def test_convert_completes_position_indices_and_keeps_the_settings(tmp_path):
    network = built()
    preprocessing_note.attach_metadata(network, CT)
    state = network.state_dict()
    for name in [name for name in state if name.endswith("relative_position_index")]:
        del state[name]
    commands.convert(saved(tmp_path / "a.pt", state), str(tmp_path / "b.pt"))
    made = torch.load(tmp_path / "b.pt", weights_only=True)
    network.load_state_dict(made)
    assert preprocessing_note.read_metadata(made) == CT | {"merging": "current"}


def test_commands_and_their_mistakes(tmp_path):
    bundle = copy_bundle("btcv_segmentation", tmp_path)
    path = Path(saved(tmp_path / "model_swinvit.pt", model_swinvit(copied(built("legacy")))))
    before = path.read_bytes()
    done = python_here(bundle, "-m", "scripts", "weights", "convert", path, tmp_path / "out.pt")
    assert last_line(done.stdout) == (
        f"wrote {tmp_path}/out.pt from {path} (model_swinvit.pt (Tang et al.); patch merging "
        "legacy, by its layout): encoder 70 of 70 tensors, decoder none; left out: 2 of a last "
        "norm that SwinUNETR does not have, 3 of pre-training's heads"
    )
    done = python_here(bundle, "-m", "scripts", "weights", "inspect", tmp_path / "out.pt")
    assert "SwinUNETR" in done.stdout and "encoder       70 of 70 tensors" in done.stdout
    assert "merging       legacy, by its note" in done.stdout
    for arguments, words in [
        (["convert", path, path], "is the file to convert, which stays as it is"),
        (["convert", path, tmp_path], "cannot be written"),
        (["inspect", tmp_path / "none.pt"], "none.pt do not exist"),
        (["download", "none.pt"], "large_files.yml lists no none.pt; it has model_swinvit.pt, ssl"),
    ]:
        done = python_here(bundle, "-m", "scripts", "weights", *arguments, check=False)
        assert done.returncode and words in last_line(done.stderr), done.stderr
        assert "Traceback" not in done.stderr
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["btcv_segmentation", path.name, "out.pt"]


# large files


@pytest.fixture
def served(tmp_path):
    """`(folder, url)` of a server of files on this machine."""
    folder = tmp_path / "server"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass


def serve_instead(bundle: Path, folder: Path, url: str, wrong: str = "") -> list[str]:
    """Files of the listed names on the local server, and `large_files.yml` with its addresses."""
    listed = ConfigParser.load_config_file(bundle / "large_files.yml")["large_files"]
    text, names = (bundle / "large_files.yml").read_text(), []
    for entry in listed:
        name = Path(entry["path"]).name
        names.append(name)
        (folder / name).write_bytes(f"weights of {name}".encode())
        text = text.replace(entry["url"], f"{url}/{name}")
        if "hash_val" in entry:
            kind = hashlib.new(entry["hash_type"], (folder / name).read_bytes())
            text = text.replace(entry["hash_val"], "0" * 32 if name == wrong else kind.hexdigest())
    (bundle / "large_files.yml").write_text(text)
    return names


def test_large_files_are_fetched_by_monais_command(served, tmp_path):
    bundle = copy_bundle("btcv_segmentation", tmp_path)
    names = serve_instead(bundle, *served)
    python_here(bundle, "-m", "monai.bundle", "download_large_files")
    assert sorted(path.name for path in (bundle / "pretrained").iterdir()) == sorted(names)
    for name in names:
        assert (bundle / "pretrained" / name).read_bytes() == (served[0] / name).read_bytes()


def test_another_hash_is_refused(served, tmp_path):
    bundle = copy_bundle("btcv_segmentation", tmp_path)
    names = serve_instead(bundle, *served, wrong="ssl_pretrained_weights.pth")
    done = python_here(bundle, "-m", "monai.bundle", "download_large_files", check=False)
    assert done.returncode and "hash check" in done.stderr
    assert not (bundle / "pretrained/ssl_pretrained_weights.pth").exists()
    command = ["-m", "scripts", "weights", "download"]
    done = python_here(bundle, *command, names[1], check=False)
    assert done.returncode and "its hash is not the expected one" in last_line(done.stderr)
    assert not (bundle / "pretrained/ssl_pretrained_weights.pth").exists()


def test_one_file_is_fetched_by_its_name(refusal, served, tmp_path, monkeypatch):
    bundle = copy_bundle("btcv_segmentation", tmp_path)
    names = serve_instead(bundle, *served)
    monkeypatch.setattr(commands, "BUNDLE", bundle)
    assert commands.download(names[3]) == str(bundle / "pretrained" / names[3])
    assert [path.name for path in (bundle / "pretrained").iterdir()] == [names[3]]
    (served[0] / names[0]).unlink()
    with refusal("cannot be fetched"):
        commands.download(names[0])


def test_both_segmentation_bundles_list_the_same_files():
    text = (BUNDLES / "btcv_segmentation/large_files.yml").read_text()
    assert (BUNDLES / "msd_tasks/large_files.yml").read_text() == text
    entries = ConfigParser.load_config_file(BUNDLES / "msd_tasks/large_files.yml")["large_files"]
    assert len(entries) == 4
    for entry in entries:
        assert entry["path"].startswith("pretrained/") and entry["url"].startswith("https://")
        length = {"sha256": 64, "md5": 32, None: 0}[entry.get("hash_type")]
        assert len(entry.get("hash_val", "")) == length
