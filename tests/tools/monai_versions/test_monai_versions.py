"""Comparison of MONAI's versions: the parts of it, on the installed version alone."""

import json
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import monai
import pytest
import torch
from monai.networks.nets import swin_unetr

from common.errors import InputError
from tools.monai_versions import commands, worker
from tools.monai_versions.cases import ALL, CASES, OWN, encoder
from tools.monai_versions.network import MERGINGS, UnavailableError, build
from tools.monai_versions.table import markdown

INSTALLED = Path(monai.__file__).parents[1]
SMALL = encoder((12, 16, 12), depths=(1, 1, 1, 1))


def wheel(folder: Path, version: str, content: str = "") -> Path:
    """Writes a wheel whose package `monai` is one file."""
    path = folder / f"monai-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("monai/__init__.py", content or f"__version__ = '{version}'\n")
    return path


def result(*values: float) -> dict:
    names = ("gradient", "worst gradient", "initial weights")
    return {"states": list(values), **dict.fromkeys(names, 0.0)}


def report(**cases: dict) -> dict:
    """Returns a report of one comparison in several versions, such as v1_0_0=result(0.5)."""
    versions = {
        name[1:].replace("_", "."): {"arguments": {}, "cases": {"small": {OWN: found}}}
        for name, found in cases.items()
    }
    return {"reference": "9.9.9", "torch": "2.0", "versions": versions}


# What is measured.


def test_installed_version_equals_itself(tmp_path):
    worker.prepare(swin_unetr, SMALL, tmp_path / "small")
    found = worker.compare_case(swin_unetr, SMALL, tmp_path / "small")
    assert tuple(found) == ALL
    for name in (OWN, "new order → own"):
        assert found[name] == result(0, 0, 0, 0, 0)
    assert found["own → old order"]["states"][0] == 0
    assert min(found["own → old order"]["states"][1:]) > 0.1


@pytest.mark.parametrize("order", MERGINGS)
def test_merging_takes_the_slices_in_its_order(order):
    merging = MERGINGS[order](dim=1)
    merging.norm, merging.reduction = torch.nn.Identity(), torch.nn.Identity()
    volume = torch.tensor([float(f"{i}{j}{k}") for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    merged = merging(volume.reshape(1, 2, 2, 2, 1))
    assert [f"{int(value):03d}" for value in merged.flatten()] == list(merging.order)


class Old(torch.nn.Module):
    """Has neither `downsample` nor `use_v2`, as SwinUNETR of 0.9.0, and needs `img_size`."""

    def __init__(self, img_size: tuple, in_channels: int, out_channels: int, feature_size: int):
        super().__init__()
        self.img_size, self.merging = img_size, old_module.PatchMerging(dim=feature_size)


old_module = SimpleNamespace(SwinUNETR=Old, PatchMerging=swin_unetr.PatchMerging)


def test_version_without_downsample_gets_the_order_too():
    network = build(old_module, CASES["defaults"], "new order")
    assert isinstance(network.merging, MERGINGS["new order"])
    assert network.img_size == (64, 32, 96)
    assert old_module.PatchMerging is swin_unetr.PatchMerging


def test_argument_that_a_version_lacks_is_named():
    with pytest.raises(UnavailableError, match="^has no argument use_v2$"):
        build(old_module, CASES["use_v2"], "own")


def test_version_without_the_network_says_so():
    with pytest.raises(UnavailableError, match="^has no SwinUNETR$"):
        build(SimpleNamespace(), CASES["defaults"], "own")


def test_error_of_a_version_is_its_result(tmp_path):
    worker.prepare(swin_unetr, SMALL, tmp_path / "small")
    broken = SimpleNamespace(SwinTransformer=lambda window_size: 1 / 0, PatchMerging=None)
    found = worker.compare_case(broken, SMALL, tmp_path / "small")
    assert found[OWN] == {
        "error": "has no argument depths, embed_dim, in_chans, num_heads, patch_size, spatial_dims"
    }


def test_module_without_swin_unetr_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "swin_unetr", SimpleNamespace)
    with pytest.raises(SystemExit, match="^has no SwinUNETR$"):
        worker.main(str(tmp_path), str(INSTALLED), "report.json", "defaults")


def test_bfloat16_is_compared_without_gradients(tmp_path):
    case = replace(SMALL, precision="bfloat16", mergings=(OWN,))
    worker.prepare(swin_unetr, case, tmp_path / "small")
    found = worker.compare_case(swin_unetr, case, tmp_path / "small")[OWN]
    assert found == result(0, 0, 0, 0, 0) | {"gradient": None, "worst gradient": None}
    assert "| 0 | 0 |  |  |  |  |  |  | 0 |" in markdown(report(v1_0_0=found | {"states": [0, 0]}))


def test_relative_difference():
    pairs = [(torch.tensor([3.0, 1.0]), torch.tensor([3.0, 0.0])), (torch.ones(1), torch.zeros(1))]
    assert worker.relative(pairs) == pytest.approx(2**0.5 / 3)
    assert worker.relative([(torch.zeros(2), torch.zeros(2))]) == 0


# Tables.


def test_equal_versions_share_a_row():
    text = markdown(report(v1_0_0=result(0, 0.123), v1_1_0=result(0, 0.123), v2_0_0=result(0, 0)))
    assert "| small | own → own | 1.0.0 – 1.1.0 | 0 | 0.12 |  |  |  |  | 0 | 0 | 0 |" in text
    assert "|  | own → own | 2.0.0 | 0 | 0 |  |  |  |  | 0 | 0 | 0 |" in text


def test_reason_stands_where_figures_would():
    content = report(v1_0_0={"error": "has no argument use_v2"}, v2_0_0=result(0))
    content["versions"]["0.1.0"] = {"error": "ImportError: no"}
    text = markdown(content)
    assert "| small | own → own | 1.0.0 | has no argument use_v2 |" in text
    assert "MONAI 0.1.0: ImportError: no." in text


def test_changed_arguments_are_listed():
    content = report(v1_0_0=result(0), v2_0_0=result(0))
    content["versions"]["1.0.0"]["arguments"] = {"Net": {"a": "1", "b": "2", "c": "3"}}
    content["versions"]["2.0.0"]["arguments"] = {"Net": {"b": "2", "c": "4", "d": "5"}}
    assert "| 2.0.0 | Net | `a` | `c` 3 → 4 | `d=5` |" in markdown(content)


# The command.


def test_worker_reports_its_version_and_differences(tmp_path, monkeypatch):
    monkeypatch.setitem(CASES, "small", SMALL)
    words = (str(tmp_path), str(INSTALLED), str(tmp_path / "report.json"), "small")
    worker.main(*words, "reference")
    worker.main(*words)
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["version"] == monai.__version__
    assert found["arguments"]["SwinUNETR"]["feature_size"] == "24"
    assert found["arguments"]["SwinUNETR"]["in_channels"] == "required"
    assert found["cases"]["small"][OWN] == result(0, 0, 0, 0, 0)


def test_worker_refuses_another_monai(tmp_path):
    with pytest.raises(SystemExit, match=f"^monai was imported from .*, not from {tmp_path}$"):
        worker.main(str(tmp_path), str(tmp_path), "report.json", "defaults")


def test_version_that_fails_is_reported_with_the_reason(tmp_path, monkeypatch):
    """The worker is a stand-in: MONAI takes seconds to import."""
    monkeypatch.setattr(commands, "WORKER", [tmp_path / "worker.py"])
    (tmp_path / "worker.py").write_text("import monai\n")
    wheel(tmp_path, "0.1.0", "import no_such_package\n")
    commands.unpack(tmp_path / "monai-0.1.0-py3-none-any.whl", tmp_path / "unpacked")
    found = commands.work(tmp_path, tmp_path / "unpacked", ["defaults"])
    assert found == {"error": "ModuleNotFoundError: No module named 'no_such_package'"}


def test_version_finds_its_own_monai_first(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "WORKER", [tmp_path / "worker.py"])
    (tmp_path / "worker.py").write_text(
        "import json, sys, monai; open(sys.argv[3], 'w').write(json.dumps(monai.__version__))"
    )
    wheel(tmp_path, "0.1.0")
    commands.unpack(tmp_path / "monai-0.1.0-py3-none-any.whl", tmp_path / "unpacked")
    assert commands.work(tmp_path, tmp_path / "unpacked", ["defaults"]) == "0.1.0"


def test_wheels_are_sorted_by_version_and_other_packages_left_out(tmp_path):
    for version in ("1.10.0", "1.9.1", "0.9.0"):
        wheel(tmp_path, version)
    (tmp_path / "monailabel-1.0.0-py3-none-any.whl").touch()
    assert list(commands.find_wheels(tmp_path)) == ["0.9.0", "1.9.1", "1.10.0"]


def test_saved_report_is_printed(tmp_path, capsys):
    path = tmp_path / "versions.json"
    path.write_text(json.dumps(report(v1_0_0=result(0.5))))
    commands.table(report=str(path))
    assert capsys.readouterr().out == markdown(report(v1_0_0=result(0.5))) + "\n"


def test_fetch_asks_pip_for_each_version(monkeypatch):
    asked = []
    monkeypatch.setattr(
        subprocess, "run", lambda command: asked.append(command) or SimpleNamespace(returncode=0)
    )
    commands.fetch(wheels="wheels", versions=["1.4.0", "1.5.0"])
    assert [command[-3:] for command in asked] == [
        ["-d", "wheels", "monai==1.4.0"],
        ["-d", "wheels", "monai==1.5.0"],
    ]


# A user's mistakes.


def test_folder_without_wheels_is_refused(tmp_path):
    with pytest.raises(InputError, match=rf"^{tmp_path} has no wheel of MONAI"):
        commands.run(wheels=str(tmp_path), output="versions.md")


@pytest.mark.parametrize("content", [b"", b"PK no archive", None])
def test_damaged_wheel_is_named(tmp_path, content):
    path = wheel(tmp_path, "1.0.0", "# " + "0123456789" * 9)
    path.write_bytes(path.read_bytes().replace(b"0123", b"3210") if content is None else content)
    with pytest.raises(InputError, match=rf"^{path} is damaged"):
        commands.run(wheels=str(tmp_path), output="versions.json")


def test_unknown_case_is_refused(tmp_path):
    wheel(tmp_path, "1.0.0")
    with pytest.raises(InputError, match="^no case is called 'none'; there are defaults; "):
        commands.run(wheels=str(tmp_path), output="versions.json", cases="defaults;none")


def test_other_output_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^versions\.csv must end in \.json or \.md"):
        commands.run(wheels=str(tmp_path), output="versions.csv")


@pytest.mark.parametrize("content", [None, "no json", "{}", "[]"])
def test_table_of_what_is_no_report_is_refused(tmp_path, content):
    path = tmp_path / "versions.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=rf"^{path} (cannot be read|is no \.json)"):
        commands.table(report=str(path))
