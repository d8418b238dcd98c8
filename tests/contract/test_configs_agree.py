"""Configs that agree: training and inference, base and overlays, workflow and task, the paper."""

import json
import re
from pathlib import Path

import pytest
from helpers import BUNDLES, ROOT, config_files
from monai.bundle import ConfigParser

from common.cli.flags import is_declared
from common.cli.knobs import schema
from common.cli.objective_files import BASE
from tools.repo.specialise import specialise

NAMES = ["btcv_segmentation", "msd_tasks", "pretrain_ssl"]
SEGMENTATION = NAMES[:2]
KNOBS = ["dataset_dir", "datalist", "device", "amp"]  # the same in every bundle and config
WORKFLOW = ROOT / "common/configs/segmentation"
TASKS = sorted(BUNDLES.glob("*/configs/tasks/*.json"))
TASK_KNOBS = {
    *("name", "modality", "channels", "labels", "spacing_mm", "foreground_above", "patch_size"),
    *("crops_per_volume", "tolerances_mm"),
}
TASK_LISTS = {"intensity_transforms", "augmentation"}


def load(bundle: str, *names: str) -> dict:
    return ConfigParser.load_config_files(config_files(bundle, *names))


def raw(bundle: str, name: str) -> dict:
    """An overlay by itself; its nested ids (`a::b`) are merged only into a base."""
    return json.loads(Path(*config_files(bundle, name)).read_text())


@pytest.mark.parametrize("name", NAMES)
def test_training_and_inference_agree(name):
    train, inference = load(name, "train"), load(name, "inference")
    for config in (train, inference):
        network = config["network_def"]
        assert network.get("encoder", network).pop("use_checkpoint") == (config is train)
    if name == "pretrain_ssl":  # a training's may have the head of the position too
        assert train["network"]["network"] == "$@objective_parts.network"
        assert train["objective_parts"]["network"] == inference["network"]["network"]
        train["network"]["network"] = "@network_def"
    differing = {"_desc_", "dataset_dir", "output_dir", "run", "crop_to_body", "imports"}
    differing |= {"spatial_transforms", "trained_with", "postprocessing"}
    for key in set(train) & set(inference) - differing:
        assert train[key] == inference[key], key
    for_images = [image_only(node) for node in whole_volume_transforms(train)]
    for_images = [node for node in for_images if node["keys"]]
    steps = inference.get("spatial_transforms") or inference["preprocessing"]["transforms"]
    steps = [step for step in steps if step["_target_"] != "EnsureTyped"]  # where they run
    assert steps[: len(for_images)] == for_images


def whole_volume_transforms(train: dict) -> list[dict]:
    """What training does to a whole volume; pre-training does it to files off its grid alone.

    There the crop is scaled instead of the volume, by the same numbers.
    """
    if "spatial_transforms" in train:
        return train["spatial_transforms"]
    (first,) = train["deterministic_transforms"]
    assert first["spacing_mm"] == first["otherwise"][3]["pixdim"]
    scaled = [node for node in train["random_crop"] if node["_target_"] == "ScaleIntensityRanged"]
    return first["otherwise"] + scaled


def image_only(transform: dict) -> dict:
    """A transform of images and labels as it is for images alone."""
    node = dict(transform)
    if node["keys"] == "@resampled_keys":
        node["keys"] = "image"
    if node.get("mode") == "@resampling_modes":
        node["mode"] = "bilinear"
    if isinstance(node["keys"], list):
        node["keys"] = [key for key in node["keys"] if key != "label"]
        node["keys"] = node["keys"][0] if len(node["keys"]) == 1 else node["keys"]
    return node | ({"keys": None} if node["keys"] == "label" else {})


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_a_task_is_one_short_file_of_flat_knobs_and_two_lists(path):
    task = json.loads(path.read_text())
    assert path.read_text().count("\n") <= 40 and task.pop("_desc_")
    assert task["name"] == path.stem and TASK_KNOBS <= set(task)
    lists = {key for key, value in task.items() if isinstance(value, list) and value[0:1]}
    nodes = {key for key in lists if isinstance(task[key][0], dict)}
    assert nodes <= TASK_LISTS and "intensity_transforms" in nodes
    assert None not in task.values() and not re.search(r"_disabled_|null", path.read_text())


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_lists_of_a_task_fit_its_labels_and_channels(path):
    """And it sets every knob that it needs: the base of an overlay has another task's."""
    task = json.loads(path.read_text())
    assert len(task.get("channel_names", range(task["channels"]))) == task["channels"]
    assert len(task.get("class_ratios", task["labels"])) == len(task["labels"])
    assert ("class_ratios" in task) == (path.parents[2].name == "msd_tasks")
    assert task["patch_size"][0] == task["patch_size"][1]  # turns by 90° exchange both axes
    assert ("channel_names" in task) == (task["channels"] > 1)


def rows_of_tasks(title: str, page: str) -> dict[str, dict[str, str]]:
    """The table under a title of a page: cells by column, by task."""
    text = re.search(rf"^## {title}\n(.*?)^(?!\|)", page, re.S | re.M)[1]
    head, _, *rows = ([cell.strip() for cell in r.split("|")[1:-1]] for r in text.splitlines())
    return {"Task" + row[0].replace(" ", "_"): dict(zip(head, row, strict=True)) for row in rows}


def test_the_page_of_the_ten_tasks_has_the_numbers_of_their_configs():
    page = (BUNDLES / "msd_tasks/docs/tasks.md").read_text()
    titles = ("At a glance", "Intensities and sources", "Crops")
    glance, intensities, crops = (rows_of_tasks(title, page) for title in titles)
    tasks = [path for path in TASKS if path.parents[2].name == "msd_tasks"]
    assert list(glance) == list(intensities) == list(crops) == [path.stem for path in tasks]
    for path in tasks:
        task, row = json.loads(path.read_text()), glance[path.stem]
        is_ct = task["modality"] == "CT"
        names = f": {', '.join(task['channel_names'])}" if task["channels"] > 1 else ""
        labels = [f"{n} {name}" for n, name in task["labels"].items() if n != "0"]
        per_step = task["crops_per_volume"] * task.get("batch_size", 1)
        expected = {
            "Channels": task["modality"] + names,
            "Labels": ", ".join(labels),
            "Spacing, mm": ", ".join(f"{mm:g}" for mm in task["spacing_mm"]),
            "Crop": "×".join(map(str, task["patch_size"])),
            "Crops a step": str(per_step),
            "Starts from": "encoder" if is_ct else "scratch",
        }
        assert {name: row[name] for name in expected} == expected
        assert task["tolerances_mm"] == sorted({1, 2, int(row["NSD at, mm"])})
        assert re.fullmatch(r"\d+/\d+", row["Images, train/test"]) and row["Yours: Dice, NSD"] == ""
        for name, numbers in task.get("regions", {}).items():
            assert f"{name} ({', '.join(map(str, numbers))})" in page
        size_mm = [n * mm for n, mm in zip(task["patch_size"], task["spacing_mm"], strict=True)]
        assert crops[path.stem]["Crop, mm"] == ", ".join(f"{mm:.0f}" for mm in size_mm)
        assert crops[path.stem]["`class_ratios`"] == ", ".join(map(str, task["class_ratios"]))
        text, scaled = intensities[path.stem]["Intensities"], task["intensity_transforms"]
        assert is_ct != (text == "z-score")
        if is_ct:
            low, high, mean, sd = map(float, re.findall(r"-?[\d.]+", text))
            assert [scaled[0]["a_min"], scaled[0]["a_max"]] == [low, high]
            assert [scaled[1]["subtrahend"], scaled[1]["divisor"]] == [mean, sd]


def test_tasks_of_the_readmes_are_there():
    text = (BUNDLES / "msd_tasks/docs/README.md").read_text()
    named = set(re.findall(r"configs/tasks/(\w+)\.json", text))
    assert named | {"BTCV"} == {path.stem for path in TASKS}


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
@pytest.mark.parametrize("config", ["train", "inference"])
def test_a_task_as_overlay_is_the_workflow_made_for_it(path, config):
    """`--config_file "['configs/train.json', TASK]"` runs what `make copies` would write."""
    workflow = json.loads((WORKFLOW / f"{config}.json").read_text())
    made = specialise(workflow, json.loads(path.read_text()))
    base = load(path.parents[2].name, config)
    overlaid = base | json.loads(path.read_text())
    for key in set(made) - {"_desc_", "dataset_dir", "run_name"}:
        assert overlaid[key] == made[key], key


def test_a_task_that_lacks_a_knob_is_refused():
    with pytest.raises(ValueError, match="task Mine has no labels; add it"):
        specialise({"_task_": ["name", "labels"]}, {"name": "Mine"})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("overlay", ["demo", "multi_gpu_train", "evaluate"])
def test_overlays_change_only_what_the_base_declares(name, overlay):
    base, own = load(name, "train"), raw(name, overlay)
    new_knobs = {"ckpt_path", "evaluate_on", "evaluation_dir", "flip_axes", "largest_component"}
    allowed = {"_desc_", "initialize", "finalize"} | (new_knobs if overlay == "evaluate" else set())
    for key in set(own) - allowed:
        assert is_declared(key.removeprefix("+"), base), key
        assert not re.search(r"::\d", key), "overlays never name a list index"


OBJECTIVES = sorted(BUNDLES.glob("pretrain_ssl/configs/objectives/*.json"))


@pytest.mark.parametrize("path", OBJECTIVES, ids=lambda path: path.stem)
@pytest.mark.parametrize("config", ["train", "inference"])
def test_overlays_of_objectives_change_only_what_is_declared(config, path):
    """Or add knobs; `a::b` of a preset is declared by the overlays that stand before it."""
    own = json.loads(path.read_text())
    before = re.findall(r"configs/(objectives/\w+)\.json", own["_desc_"].partition("--dataset")[0])
    base = load("pretrain_ssl", config, *before[:-1])
    assert len(own) >= 2
    nested = {key for key in own if "::" in key}
    assert [key for key in nested if not is_declared(key, base)] == []
    engines = {"prepare_batch", "loss", "metrics", "crops_per_item", "train_handlers"}  # training's
    pictures = {"corrupt", "postprocessing", "inferer"}  # inference's
    knobs = set(schema()["properties"])
    assert set(own) - nested - {"_desc_", BASE, *engines, *pictures} <= set(base) | knobs
    assert (BASE in own) == ("network_def" not in own)
    assert own.get(BASE, base["objective"]) == base["objective"]


@pytest.mark.parametrize("path", OBJECTIVES, ids=lambda path: path.stem)
def test_an_overlay_tells_what_it_gives_by_figures_of_the_page_of_convergence(path):
    opening = json.loads(path.read_text())["_desc_"]
    told = re.search(r"exports .*; this should give: (.*), as docs/convergence.md of", opening)[1]
    figures = re.findall(r"\d+\.\d+", told)
    page = (ROOT / "docs/convergence.md").read_text()
    below = page[page.index(f"configs/objectives/{path.name}") :]
    shown = re.findall(r"\d+\.\d+", "".join(below.split("\n## ")[:2]))
    rounded = {f"{float(number):.{digits}f}" for number in shown for digits in (1, 2, 3)}
    assert figures and [figure for figure in figures if figure not in rounded] == []


def test_the_readme_names_every_overlay_of_an_objective():
    page = (BUNDLES / "pretrain_ssl/docs/README.md").read_text()
    names = {path.name for path in OBJECTIVES}
    assert len(names) >= 10 and [name for name in sorted(names) if f"{name}`" not in page] == []


@pytest.mark.parametrize("name", NAMES)
def test_knobs_have_one_name_everywhere(name):
    for config in ("train", "inference"):
        content = load(name, config)
        assert set(KNOBS) <= set(content)
        assert content["merging"] == "auto" and content["allow_other_merging"] is False
        network = content["network_def"]
        assert network.get("encoder", network)["downsample"] == {
            "_target_": "scripts.common.network.PatchMerging",
            "_mode_": "callable",
            "merging": "@merging",
        }
        assert network.get("encoder", network)["use_v2"] is False
        assert content["network"]["compile"] is False
    assert name in SEGMENTATION or raw(name, "export_encoder")["merging"] == "auto"
    train = load(name, "train")
    assert {"pretrained", "seed", "run_name", "output_dir", "model_path"} <= set(train)
    assert "allow_partial" in train
    assert ("encoder_lr_scale" in train) == ("inflate_input" in train) == (name in SEGMENTATION)
    assert "ckpt_path" in load(name, "inference") and "ckpt_path" in raw(name, "evaluate")


def test_defaults_are_the_papers():
    ssl, btcv = load("pretrain_ssl", "train"), load("btcv_segmentation", "train")
    for config in (ssl, btcv, load("msd_tasks", "train")):
        network = config["network_def"]
        encoder = network.get("encoder", network)
        assert encoder.get("embed_dim", encoder.get("feature_size")) == 48
        assert encoder["depths"] == [2, 2, 2, 2] and encoder["num_heads"] == [3, 6, 12, 24]
        assert encoder["window_size"] == [7, 7, 7]
        assert config["weight_decay"] == 1e-5
    assert (ssl["learning_rate"], ssl["iterations"], ssl["warmup_iterations"]) == (
        4e-4,
        450000,
        500,
    )
    assert (ssl["batch_size"], ssl["drop_rate"], ssl["patch_size"]) == (4, 0.3, [96, 96, 96])
    assert (ssl["spacing_mm"], ssl["hu_min"], ssl["hu_max"]) == ([1.5, 1.5, 1.5], -1000, 1000)
    assert ssl["loss_weights"] == {"rotation": 1, "contrastive": 1, "reconstruction": 1}
    # warm-up and validations follow from the epochs: test_label_contract.py
    assert (btcv["learning_rate"], btcv["epochs"]) == (1e-4, 5000)
    assert (btcv["spacing_mm"], btcv["hu_min"], btcv["hu_max"]) == ([1.5, 1.5, 2.0], -175, 250)
    assert (len(btcv["labels"]), btcv["overlap"]) == (14, 0.5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("btcv_segmentation", "spacing 1.5 x 1.5 x 2 mm; intensity -175 to 250 as 0 to 1"),
        (
            "msd_tasks",
            "spacing 0.79 x 0.79 x 1.6 mm; intensity -41 to 176, mean 99.29, sd 39.47",
        ),
        ("pretrain_ssl", "spacing 1.5 x 1.5 x 1.5 mm; intensity -1000 to 1000 as 0 to 1"),
    ],
)
@pytest.mark.parametrize("config", ["train", "inference"])
def test_the_note_on_weights_is_read_off_the_transforms(name, config, expected, load_scripts):
    """And the notes of before, which do not tell the scale, are still compared with it."""
    from common.weights.preprocessing_note import describe

    load_scripts(name)
    parser = ConfigParser(load(name, config))
    note = parser.get_parsed_content("trained_with")
    assert "; ".join(f"{key} {value}" for key, value in describe(note).items()) == expected
    assert note.get("labels") == parser.get("labels") and note.get("task") == parser.get("name")


@pytest.mark.parametrize("name", SEGMENTATION)
def test_labels_are_those_of_the_metadata(name):
    outputs = raw(name, "metadata")["network_data_format"]["outputs"]["pred"]
    labels = load(name, "train")["labels"]
    assert labels == outputs["channel_def"] and len(labels) == outputs["num_channels"]
