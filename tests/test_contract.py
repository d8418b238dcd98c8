"""What every bundle promises: files, metadata, properties, configs that agree, documented commands.

The documented commands: `make demo` and `make test` are run by `.ci/run`; every other command is
checked here (files, flags and config keys exist), and what the bundle commands do is run, shrunk
by the demo overlay, by the tests of each bundle.
"""

import importlib
import inspect
import json
import os
import re
import shlex
import socket
from pathlib import Path

import pytest
from bundle_runs import copy_bundle, python
from helpers import BUNDLES, ROOT, config_files, import_scripts
from monai.bundle import ConfigParser, ConfigWorkflow

from common.cli.flags import RUN_ARGUMENTS, is_declared

NAMES = ["btcv_segmentation", "msd_tasks", "pretrain_ssl"]
SEGMENTATION = NAMES[:2]
DATA = {"btcv_segmentation": "btcv", "msd_tasks": "Task09_Spleen", "pretrain_ssl": "corpus"}
KNOBS = ["dataset_dir", "datalist", "device", "amp"]  # the same in every bundle and config


OVERLAYS = ["", " evaluate", " multi_gpu_train"]
ONE_PROCESS = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}


def load(bundle: str, *names: str) -> dict:
    return ConfigParser.load_config_files(config_files(bundle, *names))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def raw(bundle: str, name: str) -> dict:
    """An overlay by itself; its nested ids (`a::b`) are merged only into a base."""
    return json.loads(Path(*config_files(bundle, name)).read_text())


def test_there_are_three_bundles_each_complete():
    assert sorted(path.name for path in BUNDLES.iterdir()) == NAMES
    for name in NAMES:
        configs = {path.name for path in (BUNDLES / name / "configs").iterdir()}
        assert configs >= {"metadata.json", "train.json", "multi_gpu_train.json", "logging.conf"}
        assert configs >= {"evaluate.json", "inference.json", "demo.json"}
        for path in ("LICENSE", "docs/README.md", "docs/data_license.txt", "scripts/__init__.py"):
            assert (BUNDLES / name / path).is_file(), f"{name}/{path}"


@pytest.mark.parametrize("name", NAMES)
def test_metadata_passes_the_official_schema(name, tmp_path):
    schema = Path(os.environ.get("REAL_DATA_DIR", ""), "meta_schema_20240725.json")
    if not schema.is_file():
        pytest.skip("REAL_DATA_DIR holds no copy of MONAI's metadata schema")
    python(
        BUNDLES / name,
        *("-m", "monai.bundle", "verify_metadata", "--meta_file", "configs/metadata.json"),
        *("--filepath", schema),
    )


@pytest.mark.parametrize("name", NAMES)
def test_metadata_names_the_tested_versions(name):
    metadata = json.loads((BUNDLES / name / "configs/metadata.json").read_text())
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line
    )
    wanted = metadata["required_packages_version"] | {
        "monai": metadata["monai_version"],
        "torch": metadata["pytorch_version"],
        "numpy": metadata["numpy_version"],
    }
    assert wanted == {package: pinned[package] for package in wanted}


@pytest.mark.parametrize(
    ("name", "configs", "kind"),
    [(name, f"train{overlay}", "train") for name in NAMES for overlay in OVERLAYS]
    + [("msd_tasks", "train tasks/Task09_Spleen", "train")]
    + [(name, "inference", "infer") for name in NAMES],
)
def test_properties_are_complete(
    name, configs, kind, phantoms, tmp_path, load_scripts, monkeypatch
):
    load_scripts(name)
    for variable, value in (ONE_PROCESS | {"MASTER_PORT": str(free_port())}).items():
        monkeypatch.setenv(variable, value)
    workflow = ConfigWorkflow(
        config_files(name, *configs.split()),
        meta_file=str(BUNDLES / name / "configs/metadata.json"),
        logging_file=False,
        workflow_type=kind,
        dataset_dir=str(phantoms / DATA[name]),
        bundle_root=str(tmp_path),
        **({"cache_rate": 0.0} if kind == "train" else {}),
    )
    workflow.initialize()
    try:
        assert workflow.check_properties() == []
    finally:
        workflow.finalize()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("config", ["train", "inference"])
def test_network_takes_and_gives_what_the_metadata_says(name, config, tmp_path):
    small = ["--feature_size", 12] if name != "pretrain_ssl" else []
    python(
        copy_bundle(name, tmp_path),
        *("-m", "monai.bundle", "verify_net_in_out", "network_def", "--device", "cpu"),
        *("--meta_file", "configs/metadata.json"),
        *("--config_file", f"configs/{config}.json", *small),
    )


@pytest.mark.parametrize("name", NAMES)
def test_training_and_inference_agree(name):
    train, inference = load(name, "train"), load(name, "inference")
    assert train["network_def"] == inference["network_def"]
    differing = {"_desc_", "dataset_dir", "output_dir", "run", "use_checkpoint", "crop_to_body"}
    for key in set(train) & set(inference) - differing:
        if key != "network_def":
            assert train[key] == inference[key], key
    for_images = [image_only(node) for node in whole_volume_transforms(train)]
    for_images = [node for node in for_images if node["keys"]]
    steps = inference["preprocessing"]["transforms"]
    steps = [step for step in steps if step["_target_"] != "EnsureTyped"]  # where they run
    assert steps[: len(for_images)] == for_images


def whole_volume_transforms(train: dict) -> list[dict]:
    """What training does to a whole volume; pre-training does it to files off its grid alone.

    There the crop is scaled instead of the volume, by the same numbers.
    """
    first, *others = train["deterministic_transforms"]
    if "otherwise" not in first:
        return [first, *others]
    assert first["spacing_mm"] == first["otherwise"][3]["pixdim"] and not others
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


def test_btcv_and_msd_differ_only_in_the_task():
    """One network and training recipe: what is not the task's is written alike in both."""
    btcv, msd = (load(name, "train") for name in SEGMENTATION)
    tasks = {"_desc_", "dataset_dir", "run_name", "deterministic_transforms", "trained_with"}
    same = set(btcv) & set(msd) - tasks
    text = {
        name: json.dumps({k: config[k] for k in sorted(same)})
        for name, config in zip(SEGMENTATION, (btcv, msd))
    }
    plain = (
        text["msd_tasks"].replace("$len(@task::labels)", "@out_channels").replace("@task::", "@")
    )
    # BTCV's images have one channel
    plain = plain.replace('"inflate_input": "@inflate_input", ', "")
    plain = plain.replace(', "channels": "@channels"', "").replace(
        '"in_channels": "@channels"', '"in_channels": 1'
    )
    assert plain == text["btcv_segmentation"]


def test_btcv_and_msd_are_evaluated_alike():
    """At 1 and 2 mm, and a task of the Decathlon also at the challenge's own tolerance."""
    btcv, msd = (raw(name, "evaluate") for name in SEGMENTATION)
    assert btcv.pop("tolerances_mm") == [1, 2]
    assert msd.pop("tolerances_mm") == [1, 2, "@task::tolerance_mm"]
    own = {"_desc_"}
    text = [json.dumps({k: v for k, v in each.items() if k not in own}) for each in (btcv, msd)]
    assert text[1].replace("@task::labels", "@labels") == text[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("overlay", ["demo", "multi_gpu_train", "evaluate"])
def test_overlays_change_only_what_the_base_declares(name, overlay):
    base, own = load(name, "train"), raw(name, overlay)
    new_knobs = {"ckpt_path", "evaluate_on", "evaluation_dir", "tolerances_mm"}
    new_knobs |= {"flip_axes", "largest_component"}
    allowed = {"_desc_", "initialize", "finalize"} | (new_knobs if overlay == "evaluate" else set())
    for key in set(own) - allowed:
        assert is_declared(key, base), key
        assert not re.search(r"::\d", key), "overlays never name a list index"


@pytest.mark.parametrize("heads", ["heads_paper", "heads_official"])
@pytest.mark.parametrize("config", ["train", "inference"])
def test_presets_of_the_heads_change_only_what_is_declared(config, heads):
    base, own = load("pretrain_ssl", config), raw("pretrain_ssl", heads)
    assert set(own) - {"_desc_"} <= set(base)
    assert len(own) == 6


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
    assert name in SEGMENTATION or raw(name, "export_encoder")["merging"] == "auto"
    train = load(name, "train")
    assert {"pretrained", "seed", "run_name", "output_dir", "model_path"} <= set(train)
    assert {"allow_partial", "use_v2"} <= set(train) and "use_v2" in load(name, "inference")
    assert ("encoder_lr_scale" in train) == (name in SEGMENTATION)
    assert ("inflate_input" in train) == (name == "msd_tasks")
    assert "ckpt_path" in load(name, "inference") and "ckpt_path" in raw(name, "evaluate")


def test_defaults_are_the_papers():
    ssl, btcv = load("pretrain_ssl", "train"), load("btcv_segmentation", "train")
    for config in (ssl, btcv, load("msd_tasks", "train")):
        assert config["feature_size"] == 48 and config["depths"] == [2, 2, 2, 2]
        assert config["num_heads"] == [3, 6, 12, 24] and config["window_size"] == [7, 7, 7]
        assert config["weight_decay"] == 1e-5
    assert (ssl["learning_rate"], ssl["iterations"], ssl["warmup_iterations"]) == (
        4e-4,
        450000,
        500,
    )
    assert (ssl["batch_size"], ssl["drop_rate"], ssl["patch_size"]) == (4, 0.3, [96, 96, 96])
    assert (ssl["spacing_mm"], ssl["hu_min"], ssl["hu_max"]) == ([1.5, 1.5, 1.5], -1000, 1000)
    assert ssl["loss_weights"] == {"rotation": 1, "contrastive": 1, "reconstruction": 1}
    assert (btcv["learning_rate"], btcv["epochs"], btcv["warmup_epochs"]) == (1e-4, 5000, 50)
    assert (btcv["spacing_mm"], btcv["hu_min"], btcv["hu_max"]) == ([1.5, 1.5, 2.0], -175, 250)
    assert (len(btcv["labels"]), btcv["overlap"], btcv["val_interval"]) == (14, 0.5, 100)


@pytest.mark.parametrize("name", NAMES)
def test_what_weights_are_trained_with_is_what_the_transforms_do(name):
    """The note that travels with weights names the very knobs that the transforms read."""
    for config in ("train", "inference"):
        noted = load(name, config)["trained_with"]
        text = json.dumps({k: v for k, v in load(name, config).items() if k != "trained_with"})
        assert {"spacing_mm", "intensity_min", "intensity_max"} <= set(noted)
        for knob in noted.values():
            assert f'"{knob}"' in text, f"no transform of {name}/{config} reads {knob}"


def test_btcvs_labels_are_those_of_its_metadata():
    outputs = raw("btcv_segmentation", "metadata")["network_data_format"]["outputs"]["pred"]
    labels = load("btcv_segmentation", "train")["labels"]
    assert labels == outputs["channel_def"] and len(labels) == outputs["num_channels"]


def test_task_overlays_replace_the_one_node_with_the_same_keys():
    default = load("msd_tasks", "train")["task"]
    paths = sorted((BUNDLES / "msd_tasks/configs/tasks").iterdir())
    assert [path.stem for path in paths] == ["Task01_BrainTumour", "Task09_Spleen"]
    for path in paths:
        content = json.loads(path.read_text())
        assert set(content) == {"_desc_", "task"} and content["task"]["name"] == path.stem
        assert set(content["task"]) == set(default)
    assert json.loads(paths[1].read_text())["task"] == default
    metadata = json.loads((BUNDLES / "msd_tasks/configs/metadata.json").read_text())
    channels = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert channels == default["labels"]


# ---- documented commands ----

DOCUMENTS = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(BUNDLES.glob("*/docs/*.md")),
]
OWN_OVERLAY = (
    "configs/my_labels.json"  # the user's; tests/btcv_segmentation/test_own_data.py has one
)
RUN_BY_CI = {"make demo", "make test", "make check"}
NOT_OURS = re.compile(
    r"(git clone|cd|pip install|python -m pip install|python3? -m venv|\. |export|tensorboard) ?.*"
)


def commands() -> list[tuple[Path, str]]:
    """Every line of every `bash` block, continuation lines joined."""
    found = []
    for document in DOCUMENTS:
        for block in re.findall(r"```bash\n(.*?)```", document.read_text(), re.S):
            lines = re.sub(r"\\\n\s*", "", block).splitlines()
            found += [(document, line) for line in lines if line and not line.startswith("#")]
    return found


def test_every_document_is_there_and_shows_commands():
    names = {str(path.relative_to(ROOT)) for path, _ in commands()}
    assert names >= {"README.md", *(f"bundles/{name}/docs/README.md" for name in NAMES)}


@pytest.mark.parametrize(("document", "line"), commands(), ids=lambda value: str(value)[-60:])
def test_documented_command(document, line):
    words = shlex.split(line, comments=True)
    words = words[next(i for i, word in enumerate(words) if "=" not in word or word[0] == "-") :]
    if words[0] == "make":
        targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
        assert set(word for word in words[1:] if "=" not in word) <= targets
    elif "monai.bundle" in words:
        check_bundle_command(document, words)
    elif words[0] == "python" and "/tools/" in f"/{words[1]}":
        check_tool_command(document, words)
    elif words[0] == "python" and words[1].endswith(".py"):
        check_script_command(document, words)
    elif words[0] == "idc":
        check_options(words[2:], "idc_index.cli", words[1])
    elif " -m dask " in line:
        command = words[words.index("dask") + 1]
        check_options([word for word in words if word != "&"], "dask", command)
    else:
        assert NOT_OURS.fullmatch(line), f"nothing checks `{line}`"


def check_bundle_command(document: Path, words: list[str]) -> None:
    """Config files exist in the bundle, and every flag is declared by them."""
    action, flags = words[words.index("monai.bundle") + 1], {}
    for position, word in enumerate(words):
        if word.startswith("--") and position > words.index("monai.bundle"):
            flags[word[2:]] = words[position + 1] if position + 1 < len(words) else ""
    if action == "download_large_files":
        assert not flags and (document.parents[1] / "large_files.yml").is_file()
        return
    files = re.findall(r"configs/[\w/.]+\.json", flags.get("config_file", ""))
    files = [file for file in files if file != OWN_OVERLAY]
    bundles = [document.parents[1]] if document.parents[2] == BUNDLES else sorted(BUNDLES.iterdir())
    able = [bundle for bundle in bundles if all((bundle / file).is_file() for file in files)]
    assert files and able, "config files do not exist"
    if action == "run":
        for bundle in able:
            config = ConfigParser.load_config_files([str(bundle / file) for file in files])
            missing = [f for f in flags if f not in RUN_ARGUMENTS]
            missing = [f for f in missing if not is_declared(f, config)]
            if not missing:
                return
        raise AssertionError(f"no config declares {missing}")


def documented_path(document: Path, path: str) -> Path:
    """What a command's path means, typed in the repository or in the folder of a bundle."""
    here = document.parents[1] if document.parents[2] == BUNDLES else ROOT
    paths = [(folder / path).resolve() for folder in (here, *sorted(BUNDLES.iterdir()))]
    return next(path for path in paths if path.exists())


def option_names(words: list[str]) -> set[str]:
    return {word[2:].split("=")[0] for word in words if word.startswith("--")}


def check_tool_command(document: Path, words: list[str]) -> None:
    """The tool has the command, and the command has every option; a study's inputs are options."""
    folder = documented_path(document, words[1])
    assert folder.parent == ROOT / "tools" and (folder / "__main__.py").is_file()
    command = importlib.import_module(f"tools.{folder.name}.commands").COMMANDS[words[2]]
    known = set(inspect.signature(command).parameters)
    if folder.name == "study":
        known |= set(json.loads(documented_path(document, words[3]).read_text())["inputs"])
    assert option_names(words) <= known, f"{words[1]} {words[2]} knows {sorted(known)}"


def check_script_command(document: Path, words: list[str]) -> None:
    """The bundle has the script, the script has the command, and that has every option."""
    script = documented_path(document, words[1])
    import_scripts(script.parents[1].name)
    commands = importlib.import_module(f"scripts.{script.stem}").COMMANDS
    known = set(inspect.signature(commands[words[2]]).parameters)
    assert option_names(words) <= known, f"{words[1]} {words[2]} knows {sorted(known)}"


def check_options(words: list[str], module: str, command: str) -> None:
    """A package's own command knows every option: its help shows them."""
    shown = python(ROOT, "-m", module, command, "--help").stdout
    for option in (word.split("=")[0] for word in words if word.startswith("--")):
        assert re.search(rf"^ +{option} ", shown, re.M), f"{module} {command} knows no {option}"


def test_what_ci_runs_is_what_the_readme_says():
    ci = (ROOT / ".ci/run").read_text().splitlines()
    assert RUN_BY_CI <= set(ci)
    shown = {line for document, line in commands() if document == ROOT / "README.md"}
    assert {"make demo", "make test"} <= shown
