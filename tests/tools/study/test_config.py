"""Configurations of studies: what they stand for, and that a mistake is told in one sentence."""

import copy
import csv
import json
from pathlib import Path

import pytest
import study_stub
from helpers import BUNDLES, ROOT
from monai.bundle import ConfigParser

from common.cli.knobs import check_multiples
from common.errors import InputError
from tools.study.config import check_commands, read_study
from tools.study.grid import Study
from tools.study.hypothesis import compare, fewest_pairs
from tools.study.steps import commands, inputs, made_by

STUDIES = sorted((ROOT / "tools/study/studies").glob("*.json"))


def read(tmp_path: Path, content: dict, **inputs: str) -> Study:
    path = tmp_path / "study.json"
    path.write_text(json.dumps(content))
    return read_study(str(path), str(tmp_path / "out"), inputs)


def changed(*keys: str, value) -> dict:
    """The stub's study with another value at these keys."""
    content = node = copy.deepcopy(study_stub.CONFIG)
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = value
    return content


def test_runs_share_what_is_the_same_for_them(tmp_path):
    study = read(tmp_path, study_stub.CONFIG)
    assert len(study.runs) == 8 and len(study.jobs) == 1 + 8 + 8
    run = {"start": "given", "value": "0.5", "seed": "1"}
    assert study.runs[-1] == run
    evaluate = study.jobs[-1]
    (train,) = evaluate.needs
    (before,) = train.needs
    own = tmp_path / "out/train/start-given_value-0.5_seed-1"
    assert (before.folder, train.folder) == (tmp_path / "out/before", own)
    assert train.makes == own / "summary.json" and train.bundle == "fake"
    assert train.name == "train, start given, value 0.5, seed 1" and before.name == "before"
    assert train.arguments == (
        *("--config_file", "configs/train.json", "--value", "0.5", "--seed", "1"),
        *("--out", f"{own}/summary.json", "--source", f"{tmp_path}/out/before/summary.json"),
    )
    scratch = next(job for job in study.jobs if job.step == "train")
    assert scratch.needs == () and "--source" not in scratch.arguments
    assert study.result(run) == evaluate.folder / "summary.json"


def test_combinations_that_are_left_out_are_no_runs(tmp_path):
    content = changed("leave_out", value=[{"value": [0.5], "seed": [1]}, {"start": ["given"]}])
    study = read(tmp_path, content)
    assert [(run["value"], run["seed"]) for run in study.runs] == [
        *(("0.25", "0"), ("0.25", "1")),
        ("0.5", "0"),
    ]
    assert not any(job.step == "before" for job in study.jobs)


def test_runs_may_come_last_and_keep_their_order(tmp_path):
    content = changed("run_last", value=[{"start": ["scratch"], "seed": [1]}, {"value": [0.25]}])
    study = read(tmp_path, content)
    assert sorted(map(str, study.runs)) == sorted(map(str, read(tmp_path, study_stub.CONFIG).runs))
    assert [tuple(run.values()) for run in study.runs] == [
        *(("scratch", "0.5", "0"), ("given", "0.5", "0"), ("given", "0.5", "1")),
        *(("scratch", "0.25", "0"), ("scratch", "0.25", "1"), ("scratch", "0.5", "1")),
        *(("given", "0.25", "0"), ("given", "0.25", "1")),
    ]


def test_a_level_may_name_the_configs_of_a_step(tmp_path):
    level = {"before": {"config_file": ["train", "objectives/a"]}, "train": {"source": "{before}"}}
    jobs = read(tmp_path, changed("factors", "start", "a", value=level)).jobs
    before = {job.folder.name: job for job in jobs if job.step == "before"}
    files = "['configs/train.json', 'configs/objectives/a.json']"
    assert before["start-a"].arguments[:2] == ("--config_file", files)
    assert "config_file" not in before["start-a"].arguments[2:]
    assert before["start-given"].config_file == ("train",)


def test_a_step_is_repeated_for_the_factors_that_it_depends_on_and_those_after_it_too(tmp_path):
    content = changed("steps", "before", "flags", "seed", value="{seed}")
    study = read(tmp_path, content)
    assert [job.name for job in study.jobs if job.step == "before"] == [
        "before, seed 0",
        "before, seed 1",
    ]
    content = changed("factors", "size", value={"1": {}, "2": {"before": {"seed": 2}}})
    jobs = read(tmp_path, content).jobs
    assert sum(job.step == "before" for job in jobs) == 2
    assert sum(job.step == "evaluate" for job in jobs) == 16
    assert [job.arguments[-2:] for job in jobs if job.step == "before"][1] == ("--seed", "2")


def test_paths_and_values_as_a_shell_takes_them(tmp_path):
    content = changed("steps", "before", "flags", "steps", value={"a": ["{seed}", 2]})
    content["steps"]["before"]["config_file"] = ["train", "demo"]
    job = read(tmp_path, content, dataset_dir="my data").jobs[-1].needs[0].needs[0]
    line = job.line(Path("/bundles"))
    assert line.startswith("cd /bundles/fake && python -m monai.bundle run --config_file ")
    assert "--config_file \"['configs/train.json', 'configs/demo.json']\"" in line
    assert f"--dataset_dir '{Path.cwd()}/my data'" in line
    assert "--steps \"{'a': ['1', 2]}\"" in line


def test_commands_are_kept_by_the_names_of_paths_whatever_the_folders_are_called(tmp_path):
    content = copy.deepcopy(study_stub.CONFIG)
    content["inputs"]["more_dir"] = "more"
    content["steps"]["before"]["flags"]["steps"] = {"a": "{more_dir}/x"}

    def made(**folders: str) -> tuple[str, dict, dict]:
        study = read(tmp_path, content, **folders)
        job = study.jobs[-1]
        return made_by(study, job), commands(study, job), inputs(study, job)

    digest, kept, used = made(dataset_dir="/m2/ct_labelled", more_dir="/m2/ct")
    assert kept["before"][3:] == [
        *("--dataset_dir", "{dataset_dir}", "--out", "{output_dir}/before/summary.json"),
        *("--value", "0.1", "--steps", "{'a': '{more_dir}/x'}"),
    ]
    assert used == {"dataset_dir": "/m2/ct_labelled", "more_dir": "/m2/ct"}
    for folders in ({"more_dir": "/m2"}, {"more_dir": str(tmp_path)}, {"more_dir": "/x"}):
        assert made(dataset_dir="/m2/ct_labelled", **folders)[:2] == (digest, kept)
    del content["steps"]["before"]["flags"]["steps"]
    assert set(made(dataset_dir="/m2/ct_labelled", more_dir="/m2/ct")[2]) == {"dataset_dir"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (changed("seeds", value=[1]), "the study knows no key seeds; .* steps"),
        (
            changed("steps", "train", "flag", value={}),
            "steps::train knows no key flag; did .*gs",
        ),
        (changed("steps", "train", value=1), "steps::train takes an object in braces, not 1"),
        (changed("factors", "seed", value=[]), r"factors::seed takes a list of levels.*, not \[\]"),
        (changed("factors", "seed", value=[1, "1"]), "factor seed needs levels, each of them once"),
        (
            changed("factors", "value", value=["a + b", "a/b"]),
            r"a \+ b and a/b would have one",
        ),
        (changed("factors", "value", value=["Ab", "aB"]), "Ab and aB would have one folder"),
        (changed("factors", "value", value=["é", "e\u0301"]), "would have one folder"),
        (changed("factors", "value", value=["!", "?"]), "! and [?] would have one folder"),
        (
            changed("factors", "value", value=["肝" * 90]),
            "name too long: start-scratch_v",
        ),
        (changed("factors", "train", value=[1]), "train is the name of two"),
        (changed("factors", "start", value={"a": {"trian": {}}}), "no step trian; did .* train"),
        (changed("steps", "train", "flags", "value", value="{vlaue}"), "vlaue; did you mean value"),
        (changed("steps", "before", "flags", "value", value="{train}"), "earlier step or input tr"),
        (changed("steps", "train", "flags", "value", value=None), "value is null; leave it out"),
        (changed("result", value="{evalute}/a"), "no step or input evalute; did you mean evaluate"),
        (changed("figure", "x", value="fraction"), "knows no factor fraction"),
        (
            changed("figure", "x_scale", value="evn"),
            "no figure::x_scale evn; did you mean even?",
        ),
        (changed("leave_out", value=[{"sed": [1]}]), "leave_out knows no factor sed; did you mean"),
        (changed("leave_out", value=[{"seed": [7]}]), "leave_out knows no level 7; there are 0, 1"),
        (changed("run_last", value=[{"seed": [7]}]), "run_last knows no level 7; there are 0, 1"),
        (
            changed("figure", "kind", value="pie"),
            "knows no figure::kind pie; there are bars, lines, points",
        ),
        (None, "the study takes an object in braces, not null"),
        (changed("seed", value=3), "the study knows no key seed"),
        (
            changed("factors", "seed", value=3),
            "factors::seed takes a list of levels, or .*not 3",
        ),
        (changed("factors", "seed", value="012"), 'factors::seed takes a list of .*, not "012"'),
        (changed("factors", "seed", value=[None]), "factors::seed::0 takes a level: .*, not null"),
        (changed("factors", "start", "given", value=[]), "factors::start::given takes an object"),
        (changed("factors", value=["seed"]), "factors takes an object of one or more factors"),
        (changed("steps", value=[]), "steps takes an object of one or more steps"),
        (changed("steps", "train", "flags", value=[]), "steps::train::flags takes an object of fl"),
        (changed("steps", "train", "config_file", value="train"), "config_file takes a list of"),
        (changed("inputs", "dataset_dir", value=None), "inputs::dataset_dir takes a text"),
        (changed("leave_out", value={"seed": [1]}), "leave_out takes a list of objects in braces"),
        (changed("leave_out", value=[{"seed": "1"}]), "leave_out::0::seed takes a list of levels"),
        (changed("figure", "lines", value=[["a"]]), "figure::lines::0 takes a text"),
        (changed("figure", "repeats", value="seed"), "figure knows no key repeats"),
        (changed("figure", "x_format", value="{y}"), "figure::x_format {y} cannot write the num"),
        (changed("figure", "x_format", value="{x:d}"), "figure::x_format {x:d} cannot write"),
        (changed("result", value=None), "result takes a text, not null"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_file(tmp_path, content, sentence):
    with pytest.raises(InputError, match=f"study.json: .*{sentence}") as refusal:
        read(tmp_path, content)
    assert "\n" not in str(refusal.value)


def test_levels_in_any_script_have_folders_of_their_own(tmp_path):
    study = read(tmp_path, changed("factors", "value", value=["旋转", "对比", "größer", "a_b 1.5"]))
    folders = {job.folder.name for job in study.jobs if job.step == "train"}
    assert len(folders) == 2 * 4 * 2
    assert {"start-given_value-旋转_seed-0", "start-given_value-a-b-1.5_seed-0"} <= folders


def test_a_file_that_is_none_or_no_json_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere.json cannot be read"):
        read_study(str(tmp_path / "nowhere.json"), None, {})
    (tmp_path / "text.json").write_text("text")
    with pytest.raises(InputError, match="text.json: Expecting value"):
        read_study(str(tmp_path / "text.json"), None, {})


def test_flags_are_those_that_the_bundles_declare(tmp_path):
    content = copy.deepcopy(study_stub.CONFIG)
    content["steps"] = {
        "train": {
            "bundle": "btcv_segmentation",
            "config_file": ["train", "demo"],
            "flags": {"epochs": 2, "train::trainer::epoch_length": 1, "seed": "{seed}"},
            "makes": "model.pt",
        }
    }
    content |= {"factors": {"seed": [0]}, "result": "{train}/a", "figure": {"kind": "lines"}}
    content["figure"]["x"] = "seed"
    check_commands(read(tmp_path, content))
    train = content["steps"]["train"]
    train["flags"]["epohcs"] = 2
    with pytest.raises(InputError, match="declares epohcs; did you mean epochs?"):
        check_commands(read(tmp_path, content))
    train["config_file"] = ["train", "dmeo"]
    with pytest.raises(InputError, match="dmeo.json does not exist"):
        check_commands(read(tmp_path, content))
    train["bundle"] = "btcv"
    with pytest.raises(InputError, match="step train: there is no bundle btcv"):
        check_commands(read(tmp_path, content))


# ---- the configurations of this repository ----


def test_each_of_the_papers_studies_is_there_with_a_small_one_beside_it():
    names = {"label_efficiency", "proxy_tasks", "pretraining_volumes"}
    own = {"merging_demo", "merging_recovery_demo", "pilot_demo", "objectives", "objectives_demo"}
    papers = {path.stem for path in STUDIES} - own
    assert papers == names | {f"{name}_demo" for name in names}


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_flag_of_a_study_is_declared(path, tmp_path):
    check_commands(read(tmp_path, json.loads(path.read_text())))


@pytest.mark.parametrize(
    ("name", "runs", "steps"),
    [
        ("label_efficiency", 2 * 10 * 3, 2 + 2 * 60),
        ("label_efficiency_demo", 2 * 2 * 3, 2 + 2 * 12),
        ("proxy_tasks", 8 * 3, 7 * 2 + 2 * 24),
        ("proxy_tasks_demo", 5 * 3, 4 * 2 + 2 * 15),
        ("pretraining_volumes", 4 * 3, 3 * 2 + 2 * 12),
        ("pretraining_volumes_demo", 3 * 3, 2 * 2 + 2 * 9),
        ("merging_demo", 2 * 2 * 3, 2 * 3 + 12),
        ("merging_recovery_demo", 2 * 3 * 3, 3 + 2 * 18),
        ("pilot_demo", 2 * 2 * 2 + 1, 2 * 9),
        ("objectives", 6 * (9 + 3 + 3) + 6 * 3 + 4 * 3, 10 * 2 + 2 * 120),
        ("objectives_demo", 6 * (9 + 3 + 3) + 6 * 3 + 4 * 3 + 2 * 3, 10 * 2 + 2 * 126),
    ],
)
def test_size_of_each_study_and_where_its_commands_write(name, runs, steps):
    study = read_study(str(ROOT / f"tools/study/studies/{name}.json"), None, {})
    assert (len(study.runs), len(study.jobs)) == (runs, steps)
    for job in study.jobs:
        flags = dict(zip(job.arguments[0::2], job.arguments[1::2]))
        outputs = {"--output_dir", "--model_path", "--encoder_path", "--evaluation_dir"}
        for flag in outputs & set(flags):
            assert Path(flags[flag]).is_relative_to(job.folder)
        if "train" in study.content["steps"][job.step]["config_file"][0]:
            training = {"--output_dir", "--model_path"}
            assert training <= set(flags) or "--evaluation_dir" in flags


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_pretraining_of_a_study_has_whole_epochs(path):
    for job in (job for job in read_study(str(path), None, {}).jobs if job.step == "pretrain"):
        files = [BUNDLES / job.bundle / f"configs/{file}.json" for file in job.config_file]
        config = ConfigParser.load_config_files(list(map(str, files)))
        flags = dict(zip(job.arguments[0::2], job.arguments[1::2]))
        names = ("iterations", "iterations_per_epoch")
        check_multiples({name: int(flags.get(f"--{name}", config[name])) for name in names})


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_few_labels_are_trained_on_for_as_many_steps_as_all(path):
    study = read_study(str(path), None, {})
    for flags in (study.flags("fine_tune", run) for run in study.runs):
        steps = flags["epochs"] * flags["train::trainer::epoch_length"]
        assert flags["lr_scheduler::t_total"] == steps
        assert flags["epochs"] % flags["val_interval"] == 0


OBJECTIVES = ["objectives", "objectives_demo"]
TESTED = ["rotation_contrast_inpainting", "masked", "volume_fusion", "disrupted", "distilled"]


def objectives_study(name: str, tmp_path: Path, chosen: str | None = None) -> Study:
    """A study of objectives; `chosen` is the best one, on which the schedules are to run."""
    content = json.loads((ROOT / f"tools/study/studies/{name}.json").read_text())
    content["leave_out"][-1]["start"] = [n for n in content["test"]["levels"] if n != chosen]
    return read(tmp_path, content)


def steps_and_crops(study: Study) -> dict[str, tuple[int, int]]:
    """Iterations and crops a step of each pre-training, by the study's start."""
    found = {}
    for job in (job for job in study.jobs if job.step == "pretrain"):
        files = [BUNDLES / job.bundle / f"configs/{file}.json" for file in job.config_file]
        config = ConfigParser.load_config_files(list(map(str, files)))
        flags = dict(zip(job.arguments[0::2], job.arguments[1::2]))
        crops = int(flags.get("--batch_size", config["batch_size"]))
        crops *= config.get("crops_per_item", 1)
        found[job.levels["start"]] = int(flags.get("--iterations", config["iterations"])), crops
    return found


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_are_compared_at_equal_steps_and_crops_by_a_test_that_can_show_a_gain(
    name, tmp_path
):
    study = objectives_study(name, tmp_path)
    test = study.content["test"]
    cell = {"start": "scratch", **{n: str(level) for n, level in test["cell"].items()}}
    seeds = [run for run in study.runs if run | cell == run]
    assert test["levels"] == TESTED
    assert len(seeds) == 9 >= fewest_pairs(5, "two-sided")
    found = steps_and_crops(study)
    assert len({found[start] for start in TESTED}) == 1


@pytest.mark.parametrize("name", OBJECTIVES)
def test_equal_time_is_that_of_the_measured_steps_and_comes_last(name, tmp_path):
    study = objectives_study(name, tmp_path)
    found = steps_and_crops(study)
    steps, crops = found["rotation_contrast_inpainting"]
    size = "demo" if name.endswith("demo") else "full"
    for start in TESTED[1:]:
        equal_steps, equal_crops = found[f"{start}_equal_time"]
        assert equal_crops == crops
        assert equal_steps * step_costs(size)[start] == pytest.approx(steps, rel=0.1)
    is_equal_time = [run["start"].endswith("_equal_time") for run in study.runs]
    assert is_equal_time == sorted(is_equal_time) and sum(is_equal_time) == 4 * 3


def step_costs(size: str) -> dict[str, float]:
    """The cost of a step relative to that of the paper's, as docs/objectives.md has it."""
    text = (ROOT / "docs/objectives.md").read_text()
    text = text.partition(f"<!-- cost of a step, {size} -->")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[3:]]
    return {row[0]: float(row[2]) for row in rows}


def test_schedules_run_on_the_objective_of_the_highest_mean_gain_in_the_kept_rows():
    path = ROOT / "tools/study/studies/objectives_demo.json"
    study = read_study(str(path), None, {})
    with path.with_suffix(".csv").open() as file:
        rows = [row | {"mean_dice": float(row["mean_dice"])} for row in csv.DictReader(file)]
    comparisons = compare(study, rows)
    assert all(set(each.planned) == set(each.pairs) for each in comparisons)
    best = max(comparisons, key=lambda each: each.gains.mean).level
    tried = {run["start"] for run in study.runs if run["schedule"] in ("sawtooth", "layer_decay")}
    assert tried == {best}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_schedules_run_on_the_objective_that_is_chosen_and_change_no_other_command(name, tmp_path):
    before, study = (objectives_study(name, tmp_path, chosen) for chosen in (None, "masked"))
    planned = {job.folder: job.arguments for job in before.jobs}
    new = [job for job in study.jobs if job.folder not in planned]
    assert planned.items() <= {job.folder: job.arguments for job in study.jobs}.items()
    trained = [job.levels for job in new if job.step == "fine_tune"]
    assert len(new) == 2 * len(trained) and trained == [
        {"schedule": schedule, "fraction": "0.1", "seed": seed, "start": "masked"}
        for schedule in ("sawtooth", "layer_decay")
        for seed in ("0", "1", "2")
    ]
    check_commands(study)
    for job in (job for job in new if job.levels["schedule"] == "sawtooth"):
        if job.step == "fine_tune":  # a twentieth each, as in sawtooth.json
            flags = dict(zip(job.arguments[0::2], job.arguments[1::2]))
            assert job.config_file[-1] == "schedules/sawtooth"
            for part in ("decoder_steps", "warmup_steps"):
                steps = 20 * int(flags[f"--lr_scheduler::{part}"])
                assert steps == int(flags["--lr_scheduler::t_total"])
