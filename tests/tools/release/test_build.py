"""A release: the same bytes twice, nothing but the bundles' own files, never half."""

import hashlib
import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from monai.bundle import download
from release_checkout import write_checkout, write_demo

from common.cli.commands import run
from common.errors import InputError
from tools.release import build as build_module
from tools.release.archive import is_outside
from tools.release.commands import COMMANDS
from tools.release.files import tracked_files
from tools.release.pages import required_versions, requirements

REPOSITORY = "OWNER/REPOSITORY/0.1.0"  # as MONAI's download takes it
ADDRESS = "https://github.com/OWNER/REPOSITORY/releases/download/0.1.0"
TASKS = ("Task05_Prostate", "Task09_Spleen")  # two of ten are enough for most tests
BUNDLES = ("btcv_segmentation", "msd_tasks", "pretrain_ssl")


def build(out: Path, *words) -> None:
    run(COMMANDS, arguments=["build", str(out), *map(str, words)])


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A git checkout with two tasks, and in it what runs and users leave."""
    root = write_checkout(tmp_path_factory.mktemp("checkout"), TASKS)
    bundle = root / "bundles/btcv_segmentation"
    for name in ("models/model.pt", "runs/fold0/log.txt", "configs/my_labels.json"):
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / name).write_text("mine")
    cache = bundle / "scripts/__pycache__"
    cache.mkdir()
    (cache / "weights.cpython-313.pyc").write_text("mine")
    (root / "bundles/msd_tasks/scripts/link.py").symlink_to("__init__.py")
    return root


@pytest.fixture
def own_checkout(checkout, tmp_path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(checkout, tmp_path / "checkout", symlinks=True)


@pytest.fixture(scope="module")
def release(checkout, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("release") / "dist"
    build(out, "--root", checkout, "--address", ADDRESS)
    return out


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_two_builds_are_equal_to_the_last_byte(release, checkout, tmp_path):
    copy = shutil.copytree(checkout, tmp_path / "another place", symlinks=True)
    for path in copy.rglob("*.py"):
        path.chmod(0o755)  # which git takes for a change
    build(tmp_path / "dist", "--root", copy, "--address", ADDRESS, "--dirty")
    assert hashes(tmp_path / "dist") == hashes(release)
    assert len(list(release.glob("*.zip"))) == 5


def test_a_zip_holds_the_tracked_files_of_its_bundle_alone(release, checkout):
    for name in BUNDLES:
        with zipfile.ZipFile(release / f"{name}_v0.1.0.zip") as archive:
            entries = archive.infolist()
        tracked = [file for file in tracked_files(checkout) if file.startswith(f"bundles/{name}/")]
        assert {f"bundles/{entry.filename}" for entry in entries} == {*tracked}
        assert {(entry.external_attr >> 16, entry.date_time) for entry in entries} == {
            (0o100644, (1980, 1, 1, 0, 0, 0))
        }
    for path in release.glob("msd_task0*.zip"):
        names = zipfile.ZipFile(path).namelist()
        assert not [name for name in names if "link.py" in name or name.endswith((".pt", ".pyc"))]


def test_checksums_and_index_are_those_of_the_files(release):
    lines = (release / "SHA256SUMS").read_text().splitlines()
    sums = {name: digits for digits, name in (line.split("  ") for line in lines)}
    files = hashes(release)
    del files["SHA256SUMS"]
    assert sums == files
    index = json.loads((release / "model_info.json").read_text())
    assert len(index) == 5
    for name, entry in index.items():
        content = (release / f"{name}.zip").read_bytes()
        assert entry["checksum"] == hashlib.sha1(content).hexdigest()
        assert entry["source"] == f"{ADDRESS}/{name}.zip"


def test_notes_and_cards_are_of_the_metadata(release):
    notes = (release / "RELEASE_NOTES.md").read_text()
    card = (release / "model_cards/msd_task05_prostate_segmentation.md").read_text()
    assert notes.count("\n- 0.1.0: first version") == notes.count("\n## ") == 5
    assert f"\npip install -r {ADDRESS}/requirements.txt\n" in notes
    address = re.search(r"--url (\S+)", notes)[1]
    assert (release / address.removeprefix(f"{ADDRESS}/")).is_file()
    assert card.startswith("---\nlicense: apache-2.0\n") and "2 channel(s)" in card
    assert "none; train them" in card and "nibabel 5" in card


def test_weights_come_where_they_are_asked_for(checkout, tmp_path):
    build(tmp_path, "--root", checkout, "--with_weights")
    names = zipfile.ZipFile(tmp_path / "btcv_segmentation_v0.1.0.zip").namelist()
    assert "btcv_segmentation/models/model.pt" in names
    assert not (tmp_path / "model_info.json").exists()  # without an address


def test_weights_beside_no_tracked_bundle_are_left_out(own_checkout, tmp_path):
    weights = own_checkout / "bundles/mine/models/model.pt"
    weights.parent.mkdir(parents=True)
    weights.write_text("mine")
    build(tmp_path / "dist", "--root", own_checkout, "--with_weights")
    assert len(list((tmp_path / "dist").glob("*.zip"))) == 5


def test_an_older_release_is_replaced_and_no_other_file_is_lost(release, checkout, tmp_path):
    out = shutil.copytree(release, tmp_path / "dist")
    (out / "RELEASE_NOTES.md").write_text("old")
    build(out, "--root", checkout, "--address", ADDRESS)
    assert hashes(out) == hashes(release)
    (out / "mine.txt").write_text("mine")
    with pytest.raises(SystemExit, match="mine.txt is not of a release and would be lost"):
        build(out, "--root", checkout)
    assert [path.name for path in tmp_path.iterdir()] == ["dist"]


def test_a_failure_leaves_nothing(checkout, tmp_path, monkeypatch):
    monkeypatch.setattr(build_module, "release_notes", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build(tmp_path / "dist", "--root", checkout)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_sentence(checkout, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=f"^error: {tmp_path}/file cannot be written"):
        build(tmp_path / "file/dist", "--root", checkout)

    def full(**_) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build_module.tempfile, "TemporaryDirectory", full)
    with pytest.raises(SystemExit, match=f"^error: {tmp_path} cannot be written .No space left"):
        build(tmp_path / "dist", "--root", checkout)


def test_a_folder_that_is_no_checkout_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="is no git checkout"):
        build(tmp_path / "dist", "--root", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_differs_from_the_commit_is_refused_or_said(own_checkout, tmp_path, capsys):
    (own_checkout / "bundles/pretrain_ssl/LICENSE").write_text("changed")
    words = "1 files differ from the last commit, such as bundles/pretrain_ssl/LICENSE"
    with pytest.raises(SystemExit, match=f"{words}; commit or stash them, or pack"):
        build(tmp_path / "dist", "--root", own_checkout)
    assert not (tmp_path / "dist").exists()
    build(tmp_path / "dist", "--root", own_checkout, "--dirty")
    printed = capsys.readouterr().out
    assert words in printed
    assert "does not track them: bundles/btcv_segmentation/configs/my_labels.json" in printed
    archive = zipfile.ZipFile(tmp_path / "dist/pretrain_ssl_v0.1.0.zip")
    assert archive.read("pretrain_ssl/LICENSE") == b"changed"


def test_demo_weights_are_of_this_commit_and_of_the_demos_network(own_checkout, tmp_path):
    words = ("--root", own_checkout, "--with_demo_weights")
    with pytest.raises(SystemExit, match="model.pt does not exist; run `make demo` first"):
        build(tmp_path / "dist", *words)
    weights = write_demo(own_checkout)
    old = weights.parents[1] / "configs/train.json"
    text = old.read_text()
    old.write_text(text + " ")
    with pytest.raises(SystemExit, match="1 files differ from those that demo/ was trained with"):
        build(tmp_path / "dist", *words)
    old.write_text(text)
    torch.save({"swinViT.patch_embed.proj.bias": torch.zeros(24)}, weights)
    with pytest.raises(SystemExit, match="does not hold the demo's network"):
        build(tmp_path / "dist", *words)
    assert not (tmp_path / "dist").exists()


def test_requirements_are_those_of_the_metadata(release, checkout, tmp_path):
    lines = (release / "requirements.txt").read_text().splitlines()
    path = checkout / "bundles/btcv_segmentation/configs/metadata.json"
    metadata = json.loads(path.read_text())
    versions = required_versions(metadata)
    assert {*lines} == {f"{name}=={version}" for name, version in versions.items()}
    assert f"torch=={metadata['pytorch_version']}" in lines
    for number in "12":
        (tmp_path / f"b{number}/configs").mkdir(parents=True)
        versions = {"required_packages_version": {"nibabel": number}}
        (tmp_path / f"b{number}/configs/metadata.json").write_text(json.dumps(metadata | versions))
    with pytest.raises(InputError, match="b2 requires nibabel 2, another bundle 1"):
        requirements([tmp_path / "b1", tmp_path / "b2"])


def test_monai_finds_each_zip_at_its_address_on_github(release, tmp_path, monkeypatch):
    """The addresses are MONAI's own; only the transfer is replaced."""
    asked = []

    def copy(url, filepath, **_):
        asked.append(url)
        shutil.copyfile(release / url.removeprefix(f"{ADDRESS}/"), filepath)

    monkeypatch.setattr("monai.bundle.scripts.download_url", copy)
    index = json.loads((release / "model_info.json").read_text())
    for entry in index:
        name, _, version = entry.rpartition("_v")
        words = {"version": version, "source": "github", "repo": REPOSITORY}
        download(name, bundle_dir=tmp_path, progress=False, **words)
        assert (tmp_path / name / "configs/metadata.json").is_file()
    assert asked == [entry["source"] for entry in index.values()]


@pytest.mark.parametrize(
    ("name", "leads_out"),
    [
        ("bundle/configs/a..b.json", False),
        ("bundle/../x", True),
        ("/x", True),
        ("\\x", True),
        ("", True),
    ],
)
def test_names_that_lead_out_of_a_zip(name, leads_out):
    assert is_outside(name) == leads_out
