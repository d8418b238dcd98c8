"""Overlays of objectives: which go together, and that no name stands without its files."""

import re

import pytest
from helpers import BUNDLES, ROOT, write_json
from monai.bundle import ConfigParser
from toy_objectives import CROP_MEAN_OVERLAY

from common.cli import command_line, config_order, flags, objective_files
from common.errors import InputError

PRETRAIN = BUNDLES / "pretrain_ssl"
LISTS = re.compile(r"--config_file \\?\"?(\[[^]]*\]|configs/[\w/]+\.json)")
PAGES = [*ROOT.glob("docs/*.md"), *BUNDLES.glob("*/docs/*.md"), ROOT / "README.md"]


@pytest.fixture
def check(monkeypatch):
    """`check("train demo", "--a", "1")` checks that command line in the folder of the bundle."""

    def check_files(configs: str, *arguments: str, bundle=PRETRAIN) -> None:
        monkeypatch.chdir(bundle)
        files = [n if n[0] == "/" else f"configs/{n}.json" for n in configs.split()]
        ConfigParser.load_config_files(files)  # as MONAI does before any check
        words = ["run", "--config_file", str(files), *arguments]
        monkeypatch.setattr("sys.argv", ["/x/monai/bundle/__main__.py", *words])
        layers = command_line.layers()
        config_order.check_order(layers[:-2])
        objective_files.check_objective(layers, ".")

    return check_files


@pytest.mark.parametrize(
    "command",
    [
        ("train",),
        ("train objectives/masked",),
        ("train objectives/masked objectives/masked_slabs demo evaluate",),
        ("train objectives/masked multi_gpu_train", "--position_weight", "1"),
        ("train demo evaluate objectives/heads_official",),
        ("inference objectives/position demo",),
        ("train objectives/masked", "--objective", "masked"),  # what the files say anyway
        ("export_encoder",),
        ("export_encoder objectives/masked objectives/masked_mae demo",),
        ("export_encoder objectives/heads_paper demo",),
    ],
)
def test_an_objective_and_its_own_presets_pass(check, command):
    check(*command)


def test_the_default_is_that_of_the_training(monkeypatch, tmp_path):
    files = [str(PRETRAIN / f"configs/{name}.json") for name in ("train", "export_encoder")]
    training, export = (ConfigParser.load_config_files([file])["objective"] for file in files)
    assert (training, export) == (objective_files.DEFAULT, None)
    words = ["run", "--config_file", files[1], "--bundle_root", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["/x/monai/bundle/__main__.py", *words])
    objective_files.check_objective(command_line.layers(), str(tmp_path))  # no train.json there


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_documented_combination_passes(check, path):
    for files in LISTS.findall(path.read_text()):
        names = re.findall(r"configs/([\w/]+)\.json", files)
        bundles = [path.parents[1]] if path.parents[2] == BUNDLES else [*BUNDLES.iterdir()]
        for bundle in bundles:
            if all((bundle / f"configs/{name}.json").is_file() for name in names):
                check(" ".join(names), bundle=bundle)


PAPERS = objective_files.DEFAULT
LEAVE_ONE = "leave configs/objectives/{}.json or configs/objectives/{}.json out of --config_file"


@pytest.mark.parametrize(
    ("configs", "sentence"),
    [
        (
            "objectives/masked train",
            "configs/train.json replaces objective, which configs/objectives/masked.json before it "
            "sets; give configs/train.json before configs/objectives/masked.json in --config_file.",
        ),
        (
            "train demo objectives/masked",
            "configs/objectives/masked.json replaces network_def, of which configs/demo.json "
            "before it sets network_def::encoder::embed_dim; give configs/objectives/masked.json "
            "before configs/demo.json in --config_file.",
        ),
        (
            "train objectives/masked_slabs demo",
            "configs/objectives/masked_slabs.json changes the objective masked, and the files "
            f"before it give {PAPERS}; give configs/objectives/masked.json before it.",
        ),
        (
            "train objectives/masked_mae objectives/masked",
            "configs/objectives/masked.json replaces loss, of which "
            "configs/objectives/masked_mae.json before it sets loss::error; give "
            "configs/objectives/masked.json before configs/objectives/masked_mae.json in "
            "--config_file.",
        ),
        (
            "train objectives/masked objectives/masked_mae objectives/masked_slabs",
            "configs/objectives/masked_slabs.json changes the objective masked, and the files "
            "before it give masked_mae; leave configs/objectives/masked_mae.json out of "
            "--config_file and give configs/objectives/masked.json before it.",
        ),
        (
            "train objectives/masked objectives/heads_paper",
            f"configs/objectives/heads_paper.json changes the objective {PAPERS}, and the files "
            "before it give masked; leave configs/objectives/masked.json out of --config_file.",
        ),
        (
            "inference objectives/volume_fusion objectives/masked",
            "configs/objectives/masked.json gives the objective masked, and the files before it "
            f"give volume_fusion; {LEAVE_ONE.format('volume_fusion', 'masked')}.",
        ),
        (
            "train objectives/distilled objectives/masked evaluate",
            "configs/objectives/masked.json gives the objective masked, and the files before it "
            f"give distilled; {LEAVE_ONE.format('distilled', 'masked')}.",
        ),
        (
            "train objectives/masked objectives/position",
            "configs/objectives/position.json gives the objective position, and the files before "
            f"it give masked; {LEAVE_ONE.format('masked', 'position')}; for the position beside "
            "another objective that leaves its crops in place, give --position_weight instead of "
            "configs/objectives/position.json.",
        ),
        (
            "train objectives/position objectives/masked",
            "configs/objectives/masked.json gives the objective masked, and the files before it "
            f"give position; {LEAVE_ONE.format('position', 'masked')}; for the position beside "
            "another objective that leaves its crops in place, give --position_weight instead of "
            "configs/objectives/position.json.",
        ),
        (
            "export_encoder objectives/masked objectives/volume_fusion",
            "configs/objectives/volume_fusion.json gives the objective volume_fusion, and the "
            f"files before it give masked; {LEAVE_ONE.format('masked', 'volume_fusion')}.",
        ),
        (
            "embeddings objectives/masked",
            "configs/objectives/masked.json is of an objective of pre-training, and "
            "configs/embeddings.json has none; leave it out of --config_file.",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(check, configs, sentence):
    with pytest.raises(InputError) as error:
        check(configs)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("configs", "name", "remedy"),
    [
        ("train", "masked", "give configs/objectives/masked.json in --config_file, as its first"),
        ("train objectives/masked", PAPERS, "leave configs/objectives/masked.json out of"),
        ("train", "maskd", r"did you mean masked\? There are disrupted, "),
        ("inference", "position", "or --position_weight for the position beside an objective"),
    ],
)
def test_a_flag_does_not_choose_an_objective(check, tmp_path, refusal, configs, name, remedy):
    with refusal(f"^--objective {name} chooses no objective, and the config.* {remedy}"):
        check(configs, "--objective", name)
    args_file = write_json(tmp_path / "args.json", {"objective": name})
    with refusal(f"args.json: objective {name} chooses no objective, .* {remedy}"):
        check(configs, "--args_file", args_file)


def test_a_name_in_a_file_of_settings_does_not_choose_an_objective_either(check, tmp_path, refusal):
    settings = write_json(tmp_path / "mine.json", {"objective": "masked", "batch_size": 2})
    with refusal("mine.json: objective masked chooses no objective, .*objectives/masked.json"):
        check(f"train {settings}")
    check(f"train objectives/masked {settings}")


def test_an_objective_of_ones_own_passes_and_tells_what_it_changes(check, tmp_path, refusal):
    own = write_json(tmp_path / "crop_mean.json", CROP_MEAN_OVERLAY)
    heads = {"objective": "my_heads", "network_def::rotation_head::tokens": 0}
    check(f"train {own} demo")
    check(f"train {write_json(tmp_path / 'my_heads.json', heads)} demo")
    mine = {"objective": "half", "mask_ratio": 0.5}
    preset = write_json(tmp_path / "half.json", mine)
    with refusal('half.json gives .* write "_base_objective_": "masked" into the second'):
        check(f"train objectives/masked {preset}")
    write_json(tmp_path / "half.json", mine | {"_base_objective_": "masked"})
    check(f"train objectives/masked {preset}")
    with refusal("half.json changes the objective masked, and the files before it give rot"):
        check(f"train {preset}")


def test_a_command_is_refused_before_any_work(monkeypatch, refusal):
    monkeypatch.chdir(PRETRAIN)
    monkeypatch.setattr(flags, "BUNDLE", PRETRAIN)
    files = "['configs/train.json','configs/objectives/masked_slabs.json','configs/demo.json']"
    arguments = ["run", "--config_file", files]
    monkeypatch.setattr("sys.argv", ["/x/monai/bundle/__main__.py", *arguments])
    monkeypatch.setattr("sys.excepthook", None)
    with refusal("give configs/objectives/masked.json before it"):
        flags.check_flags()
