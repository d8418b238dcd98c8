"""Verification: whole bundles pass, each fault is found, listed, and ends in status 1."""

import json
import re
import shutil
import zipfile
from pathlib import Path
from urllib.error import URLError

import pytest
from helpers import BUNDLES, ROOT

from common.cli.commands import run
from tools.release import monai_checks, packages, pages
from tools.release.archive import write_zip
from tools.release.commands import COMMANDS
from tools.release.files import collect

VERSION = "0.1.0"
CHECKS = 9  # of a quick verification


def verify(capsys, *paths, status: int = 0, words: tuple = ("--quick",)) -> list[str]:
    """The printed lines; the exit status is asserted."""
    arguments = ["verify", *map(str, paths), *map(str, words)]
    if status:
        with pytest.raises(SystemExit) as end:
            run(COMMANDS, arguments=arguments)
        assert end.value.code not in (0, None)
    else:
        run(COMMANDS, arguments=arguments)
    return capsys.readouterr().out.splitlines()


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sources") / "root"
    collect(ROOT, root)
    return root / "bundles"


@pytest.fixture(scope="module")
def schema(tmp_path_factory) -> Path:
    """A schema of our own, since the official one is not in the repository."""
    path = tmp_path_factory.mktemp("schema") / "schema.json"
    path.write_text(json.dumps({"type": "object", "required": ["version", "authors"]}))
    return path


@pytest.fixture
def bundle(originals, tmp_path) -> Path:
    return shutil.copytree(originals / "btcv_segmentation", tmp_path / "btcv_segmentation")


def test_every_bundle_passes(originals, schema, capsys):
    words = ("--quick", "--schema", schema)
    lines = verify(capsys, *sorted(originals.iterdir()), words=words)
    assert len(lines) == 3 * CHECKS
    assert all(line.endswith((": ok", "listed: not checked: this is a folder")) for line in lines)


def test_a_zip_passes_as_its_folder_does(bundle, schema, tmp_path, capsys):
    path = write_listed(bundle, tmp_path)
    lines = verify(capsys, path, words=("--quick", "--schema", schema))
    assert len(lines) == CHECKS and all(line.endswith(": ok") for line in lines)


def write_listed(bundle: Path, folder: Path) -> Path:
    """Writes a zip, and beside it the files of a release that list it."""
    path = folder / f"{bundle.name}_v{VERSION}.zip"
    write_zip(bundle, path)
    (folder / "SHA256SUMS").write_text(pages.checksums([path], folder))
    (folder / "model_info.json").write_text(pages.model_info([path], "https://example.org"))
    return path


def test_a_zip_alone_is_said_to_be_unlisted(bundle, schema, tmp_path, capsys):
    path = write_listed(bundle, tmp_path)
    (tmp_path / "SHA256SUMS").unlink()
    lines = verify(capsys, path, words=("--quick", "--schema", schema))
    assert f"{path.name}: zip is listed: not checked: there is no SHA256SUMS beside it" in lines


LISTED = {
    "SHA256SUMS does not list it": ("SHA256SUMS", "btcv_segmentation", "another"),
    "SHA256SUMS has the checksum of another file": ("SHA256SUMS", "^.{64}", "0" * 64),
    "model_info.json does not list it": ("model_info.json", '"btcv_segmentation', '"another'),
    "model_info.json has the address https://example.org/x_v0": (
        *("model_info.json", "org/btcv_segmentation", "org/x"),
    ),
}


@pytest.mark.parametrize("words", LISTED)
def test_a_zip_that_the_release_lists_otherwise_is_refused(words, bundle, schema, tmp_path, capsys):
    path, (name, old, new) = write_listed(bundle, tmp_path), LISTED[words]
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(re.sub(old, new, text))
    lines = verify(capsys, path, status=1, words=("--quick", "--schema", schema))
    assert f"zip is listed: FAILED: {words}" in "".join(lines)
    assert len([line for line in lines if "FAILED" in line]) == 1


def edit(path: Path, **values) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


TAMPERED = {
    "required files: FAILED: LICENSE is missing": lambda b: (b / "LICENSE").unlink(),
    "only its files: FAILED: runs/log.txt does not": lambda b: write(b / "runs/log.txt", "x"),
    "only its files: FAILED: scripts/__pycache__ is a cache": lambda b: write(
        b / "scripts/__pycache__/a.pyc", "x"
    ),
    "no absolute path: FAILED: configs/train.json has the path /home/me": lambda b: edit(
        b / "configs/train.json", cache_dir="/home/me/cache"
    ),
    "no absolute path: FAILED: scripts/__init__.py has the path /root/x": lambda b: write(
        b / "scripts/__init__.py", 'PATH = "/root/x"\n'
    ),
    "version in changelog: FAILED: the changelog has no entry for 0.1.0": lambda b: edit(
        b / "configs/metadata.json", changelog={"0.0.9": "x"}
    ),
    "metadata agrees: FAILED: spatial_shape of configs/metadata.json is [96, 96, 96], patch_size "
    "of configs/inference.json [64, 64, 64]": lambda b: edit(
        b / "configs/inference.json", patch_size=[64, 64, 64]
    ),
    "metadata agrees: FAILED: labels of configs/inference.json": lambda b: edit(
        b / "configs/inference.json", labels={"0": "background", "1": "liver"}
    ),
    "files of the pages: FAILED: docs/README.md names weights.md": lambda b: (
        b / "docs/weights.md"
    ).unlink(),
    "packages named: FAILED: scripts/common/cli/command_line.py imports fire": lambda b: edit(
        b / "configs/metadata.json", required_packages_version={"nibabel": "5"}
    ),
    "packages named: FAILED: large_files.yml is read by PyYAML": lambda b: require(b, PyYAML=None),
    "packages named: FAILED: scripts/common/data/itk_image.py imports SimpleITK": lambda b: edit(
        b / "configs/metadata.json", optional_packages={"pydicom": "3", "python-gdcm": "3"}
    ),
    "schema: FAILED: 'authors' is a required property": lambda b: drop(b, "authors"),
}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def require(bundle: Path, **versions: str | None) -> None:
    """Changes required packages; None takes one out."""
    path = bundle / "configs/metadata.json"
    required = json.loads(path.read_text())["required_packages_version"] | versions
    required = {name: version for name, version in required.items() if version}
    edit(path, required_packages_version=required)


def drop(bundle: Path, key: str) -> None:
    metadata = json.loads((bundle / "configs/metadata.json").read_text())
    del metadata[key]
    (bundle / "configs/metadata.json").write_text(json.dumps(metadata))


@pytest.mark.parametrize("words", TAMPERED)
def test_a_tampered_zip_is_refused(words, bundle, schema, tmp_path, capsys):
    TAMPERED[words](bundle)
    path = tmp_path / f"{bundle.name}_v{VERSION}.zip"
    write_zip(bundle, path)
    lines = verify(capsys, path, status=1, words=("--quick", "--schema", schema))
    failed = [line for line in lines if "FAILED" in line]
    assert len(lines) == CHECKS and words in failed[0]
    assert len(failed) == 1


def test_all_faults_are_listed(bundle, capsys, schema):
    for number in range(5):
        (bundle / f"mine{number}").write_text("x")
    (bundle / "LICENSE").unlink()
    lines = verify(capsys, bundle, status=1, words=("--quick", "--schema", schema))
    failed = [line for line in lines if "FAILED" in line]
    assert len(failed) == 2 and all(f"mine{number}" in failed[1] for number in range(5))


def test_links_are_refused_in_a_folder_and_in_a_zip(bundle, schema, tmp_path, capsys):
    path = tmp_path / f"{bundle.name}_v{VERSION}.zip"
    write_zip(bundle, path)
    entry = zipfile.ZipInfo(f"{bundle.name}/configs/out.json")
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, "/etc/passwd")
    (bundle / "configs/out.json").symlink_to("train.json")
    for each in (path, bundle):
        lines = verify(capsys, each, status=1, words=("--quick", "--schema", schema))
        assert "out.json is a link" in "".join(lines)


def test_the_zips_name_must_be_its_bundles(bundle, schema, tmp_path, capsys):
    path = tmp_path / f"{bundle.name}_v0.2.0.zip"
    write_zip(bundle, path)
    lines = verify(capsys, path, status=1, words=("--quick", "--schema", schema))
    assert "the zip's name says 0.2.0, its metadata 0.1.0" in "".join(lines)


def test_without_a_network_the_schema_is_said_to_be_unchecked(bundle, capsys, monkeypatch):
    asked = []

    def no_network(url, **_):
        asked.append(url)
        raise URLError("no network")

    monkeypatch.setattr(monai_checks, "urlopen", no_network)
    monkeypatch.setattr(monai_checks, "SCHEMAS", {})
    lines = verify(capsys, bundle, bundle)
    for line in (lines[CHECKS - 1], lines[-1]):
        assert "schema: not checked: https://" in line and "give --schema FILE" in line
    assert len(asked) == 1


def test_a_downloaded_schema_is_used(bundle, schema, capsys, monkeypatch):
    monkeypatch.setattr(monai_checks, "urlopen", lambda url, **_: schema.open("rb"))
    monkeypatch.setattr(monai_checks, "SCHEMAS", {})
    drop(bundle, "authors")
    lines = verify(capsys, bundle, status=1)
    assert "schema: FAILED: 'authors' is a required property" in lines[-1]


@pytest.mark.parametrize("content", [b"no zip", None])
def test_what_is_no_zip_of_a_bundle_is_refused(content, tmp_path, capsys):
    path = tmp_path / "a_v1.zip"
    if content:
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("../outside", "x")
    verify(capsys, path, status=1)
    assert not (tmp_path.parent / "outside").exists()


def test_a_component_that_does_not_exist_is_found(bundle):
    text = (bundle / "configs/inference.json").read_text()
    text = text.replace("inference.LargestComponentd", "inference.Nothing").replace(
        '"EnsureTyped"', '"EnsureTypo"'
    )
    (bundle / "configs/inference.json").write_text(text)
    faults = monai_checks.targets(monai_checks.Bundle(bundle))
    assert faults == [
        "EnsureTypo does not exist",
        "scripts.common.inference.Nothing does not exist",
    ]


@pytest.mark.parametrize("name", ["btcv_segmentation", "msd_tasks", "pretrain_ssl"])
def test_metadata_requires_what_the_scripts_import(name):
    bundle = monai_checks.Bundle(BUNDLES / name)
    assert packages.missing_packages(bundle.folder, bundle.metadata) == []


def test_imports_inside_functions_count():
    source = "import os\ndef f():\n    from scipy.ndimage import label\n    from . import x\n"
    assert packages.imported_modules(source) == {"scipy"}
