"""The tools about patch merging: trainings that are listed, scores of kept states, differences."""

import json
import re
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers import BUNDLES, config_files, write_nifti
from monai.bundle import ConfigParser
from weight_layouts import look_trained

from common.cli.flags import is_declared
from common.errors import InputError
from tools.merging import compare, trainings
from tools.merging.score import Scored, score, table
from tools.merging.trainings import KINDS, TRAININGS, jobs


def test_every_training_is_listed_for_both_mergings_and_its_flags_exist(tmp_path):
    assert len(jobs()) == 2 * sum(len(each.seeds) for each in TRAININGS.values()) >= 16
    assert len({job.folder(tmp_path) for job in jobs()}) == len(jobs())
    for job in jobs():
        training = TRAININGS[job.name]
        words = job.arguments(tmp_path, dict.fromkeys(("corpus", "btcv", "brain"), "/data"))
        config = ConfigParser.load_config_files(config_files(training.bundle, *training.configs))
        flags = [word[2:].partition("=")[0] for word in words if word.startswith("--")]
        own = set(flags) - {"config_file"}
        assert own >= {"merging", "seed", "dataset_dir", "output_dir", "model_path"}
        assert all(is_declared(flag, config) for flag in own), own
        handler = config["train"]["handlers"][1]["_target_"]
        assert handler == "scripts.common.training.CheckpointHandler"  # the one of n_saved


def test_what_is_trained_is_not_trained_again(tmp_path, monkeypatch, capsys):
    done, status = [], SimpleNamespace(returncode=0)

    def stand_in(words: list[str], **_) -> SimpleNamespace:
        done.append(words)
        return status

    monkeypatch.setattr(trainings.subprocess, "run", stand_in)
    for job in jobs()[1:]:
        (job.folder(tmp_path / "out")).mkdir(parents=True)
        (job.folder(tmp_path / "out") / "model.pt").touch()
    where = [str(tmp_path / name) for name in ("out", "corpus", "btcv", "brain")]
    data = dict(zip(("corpus", "btcv", "brain"), where[1:]))
    with pytest.raises(InputError, match="corpus does not exist; give the folder of --corpus"):
        trainings.train(where[0], **data)
    for folder in where[1:]:
        Path(folder).mkdir()
    trainings.train(where[0], **data)
    assert len(done) == 1 and f"--merging={jobs()[0].merging}" in done[0]
    assert f"{jobs()[0].folder(Path('out')).name}: trained" in capsys.readouterr().out
    status.returncode = 1
    with pytest.raises(InputError, match=f"failed: .*{jobs()[0].folder(Path('out')).name}"):
        trainings.train(where[0], **data)


@pytest.fixture
def runs(load_scripts, tmp_path) -> Path:
    """Runs of both kinds with a state that looks trained so."""
    load_scripts("btcv_segmentation")
    merging = import_module("scripts.common.network.patch_merging")
    config = ConfigParser.load_config_files(config_files("btcv_segmentation", "train", "demo")) | {
        "bundle_root": str(tmp_path)
    }
    for kind in KINDS:
        folder = tmp_path / "runs" / f"a_{kind}" / "run"
        (folder / "checkpoints").mkdir(parents=True)
        network = look_trained(ConfigParser(config).get_parsed_content("network_def"), kind)
        merging.set_merging(network, kind)
        torch.save({"network": network.state_dict()}, folder / "checkpoints/iteration_7.pt")
        (folder / "config.json").write_text(json.dumps({"config": config, "merging": kind}))
    return tmp_path / "runs"


def test_scores_of_kept_states(runs):
    told = score(str(runs))
    assert re.search(r"^\| a_legacy \| legacy \| 5\.\d \(7\) \| legacy \|$", told, re.M)
    assert re.search(r"^\| a_current \| current \| -\d\.\d \(7\) \| current \|$", told, re.M)
    for kind in KINDS:
        assert f"\n{kind}: 1 trainings, 1 states: 1 told rightly, 0 wrongly, 0 not" in told
    with pytest.raises(InputError, match="nothing holds no run; give the folder"):
        score(str(runs / "nothing"))


@pytest.mark.parametrize("content", ["{", "[]", '{"config": {}}'])
def test_a_damaged_config_is_named(tmp_path, content):
    (tmp_path / "a/run/checkpoints").mkdir(parents=True)
    (tmp_path / "a/run/checkpoints/iteration_7.pt").touch()
    (tmp_path / "a/run/config.json").write_text(content)
    with pytest.raises(InputError, match="a/run/config.json is no config.json of a run"):
        score(str(tmp_path))


def test_wrong_and_undecided_states_are_counted():
    rows = [
        Scored("a", "legacy", n, 0.0, 2.0, verdict) for n, verdict in enumerate((None, "current"))
    ]
    assert "legacy: 1 trainings, 2 states: 0 told rightly, 1 wrongly, 1 not" in table(rows)
    assert "| a | legacy | 0.0 (0), 0.0 (1) | nothing, current |" in table(rows)


def test_differences_between_the_mergings(runs, tmp_path):
    ramp = torch.arange(80 * 80 * 40).reshape(80, 80, 40).remainder(251).numpy().astype("int16")
    image = write_nifti(tmp_path / "ct.nii.gz", ramp, spacing_mm=(5.0, 5.0, 5.0))
    told = compare.compare(str(runs), image).splitlines()
    assert told[0] == compare.HEAD.splitlines()[0] and len(told) == 4
    for line in told[2:]:
        numbers = [float(number) for number in re.findall(r"([\d.]+)%", line)]
        assert len(numbers) == 6 and all(number > 0.1 for number in numbers[:5])
    assert BUNDLES.joinpath("btcv_segmentation") == compare.BUNDLE
