"""The benchmark at its tiny size: it runs, its rows hold, and a user's mistakes are told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import benchmark_report
import nibabel as nib
import numpy as np
import pytest
import torch

TOOL = Path(__file__).parents[2] / "tools" / "benchmark.py"
NAMES = ["reading a crop", "encoder forward", "pre-training step", "fine-tuning step", "whole CT"]


def benchmark(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, TOOL, "run", *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )


def written(folder: Path, done: subprocess.CompletedProcess) -> dict:
    """The JSON, after a run that ended well."""
    assert done.returncode == 0, done.stderr
    assert (folder / "benchmark.md").read_text() in done.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["benchmark.json", "benchmark.md"]
    return json.loads((folder / "benchmark.json").read_text())


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> dict:
    """All five at the tiny size, once each."""
    folder = tmp_path_factory.mktemp("benchmark")
    size = ("--size", "tiny", "--repetitions", 1, "--training_steps", 4)
    before = bundle_files()
    found = written(folder, benchmark("--output_dir", folder, *size))
    return found | {"bundles_before": before, "bundles_after": bundle_files()}


def bundle_files() -> list[tuple[str, int]]:
    """Every file of the checkout's bundles, whatever Python caches, and when it was written."""
    files = (TOOL.parents[1] / "bundles").rglob("*")
    return sorted((str(f), f.stat().st_mtime_ns) for f in files if "__pycache__" not in f.parts)


def test_every_measurement_has_a_row(result):
    published = [row for row in result["rows"] if row["reference"] == "as published"]
    assert [row["name"] for row in published] == NAMES
    assert {row["name"] for row in result["rows"]} == set(NAMES)


def test_rows_are_plausible(result):
    for row in result["rows"]:
        assert 0.0005 < row["ours_s"] < 300 and 0.001 < row["reference_s"] < 300
        assert row["speedup"] == pytest.approx(row["reference_s"] / row["ours_s"])
        assert 0.2 < row["ours_gib"] < 16 and 0.2 < row["reference_gib"] < 16
        assert "target" not in row  # at the tiny size nothing is judged


def test_labels_agree(result):
    *_, row = [row for row in result["rows"] if row["name"] == "whole CT"]
    assert row["agreement_in_body"] >= 0.999 and row["agreement"] >= 0.999
    assert row["ours_dice"] == pytest.approx(row["reference_dice"], abs=0.01)


def test_every_time_and_the_surroundings_are_kept(result):
    for measurement in result["measurements"].values():
        for side in measurement["sides"].values():
            assert len(side["seconds"]) == 1 and side["peak_bytes"] > 2**27
    assert set(result["versions"]) == {"python", "torch", "monai"}
    assert result["hardware"]["cores"] == os.cpu_count() and result["hardware"]["threads"] == 1
    assert "--size tiny" in result["command"] and result["date"][:2] == "20"


def test_checkout_stays_untouched(result):
    assert result["bundles_after"] == result["bundles_before"]


@pytest.mark.parametrize(
    "flags, sentence",
    [
        (("--only", "encoder,volum"), r"--only names 'volum'; choose from crops, encoder, "),
        (("--device", "gpu"), r"--device is 'gpu'; choose from cpu, cuda"),
        (("--size", "small"), r"--size is 'small'; choose from full, tiny"),
        (("--repetitions", "0"), r"0 is no number of times; give a whole number"),
    ],
)
def test_mistakes_are_told_in_one_sentence(tmp_path, flags, sentence):
    done = benchmark("--output_dir", tmp_path / "out", *flags)
    assert done.returncode == 1 and done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_without_a_gpu_is_told_in_one_sentence(tmp_path):
    done = benchmark("--output_dir", tmp_path / "out", "--device", "cuda")
    assert done.returncode == 1 and done.stderr.strip().splitlines()[-1] == (
        "--device cuda needs a CUDA GPU, which PyTorch does not find here."
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_all_five_run_on_a_gpu(tmp_path):
    flags = ("--device", "cuda", "--size", "tiny", "--repetitions", 2, "--training_steps", 4)
    rows = written(tmp_path, benchmark("--output_dir", tmp_path, *flags))["rows"]
    assert [row["name"] for row in rows if row["reference"] == "as published"] == NAMES
    assert rows[-1]["agreement_in_body"] > 0.9  # bfloat16 against float16, hardly trained


def test_dice_is_the_mean_over_the_organs_of_the_truth():
    truth = np.array([0, 1, 1, 1, 2, 2])
    labels = np.array([1, 1, 1, 0, 3, 2])
    # label 1: 2 * 2 / (3 + 3); label 2: 2 * 1 / (2 + 1); label 3 is not in the truth
    assert benchmark_report.mean_dice(labels, truth) == pytest.approx((4 / 6 + 2 / 3) / 2)


def test_organ_that_is_not_found_counts_as_zero():
    truth, labels = np.array([0, 1, 2, 2]), np.array([0, 1, 0, 0])
    assert benchmark_report.mean_dice(labels, truth) == pytest.approx(0.5)


def test_agreement_is_that_inside_the_filled_body(tmp_path):
    hu = np.full((6, 6, 2), -1000, np.int16)
    hu[1:5, 1:5] = 40  # 16 voxels a slice, with a hole
    hu[2, 2] = -1000
    nib.save(nib.Nifti1Image(hu, np.eye(4)), tmp_path / "ct.nii")
    labels = np.zeros(hu.shape, np.uint8)
    labels[1] = 1
    other = labels.copy()
    other[2, 2, 0] = 1  # in the hole
    other[5, 5, 0] = 1  # outside
    for name, array in (("truth", labels), ("ours", labels), ("reference", other)):
        np.save(tmp_path / f"{name}.npy", array)
    found = benchmark_report.agreement(tmp_path, "reference")
    assert found["agreement_in_body"] == pytest.approx(31 / 32)
    assert found["agreement"] == pytest.approx(70 / 72)
    assert found["ours_dice"] == 1.0


def sides(ours_s: float, reference_s: float, ours_gib: float = 1.0) -> dict:
    return {
        "ours": {"seconds": [9.0, ours_s, 0.1], "peak_bytes": ours_gib * 2**30},
        "reference": {"seconds": [9.0, reference_s, 0.1], "peak_bytes": 2 * 2**30},
    }


def test_row_holds_medians_and_their_ratio():
    row = benchmark_report.row("encoder", "reference", sides(2.0, 7.0), {}, "cpu")
    assert (row["ours_s"], row["reference_s"], row["speedup"]) == (2.0, 7.0, 3.5)
    assert (row["ours_gib"], row["reference_gib"], row["memory_ratio"]) == (1.0, 2.0, 0.5)
    assert row["is_met"]


@pytest.mark.parametrize(
    "ours_s, ours_gib, same, is_met",
    [(2.0, 1.0, 0.999, True), (2.1, 1.0, 1.0, False), (2, 1.01, 1.0, False), (2, 1, 0.998, False)],
)
def test_target_of_a_volume_asks_for_speed_memory_and_labels(ours_s, ours_gib, same, is_met):
    found = sides(ours_s, 6.0, ours_gib)
    row = benchmark_report.row("volume", "reference", found, {"agreement_in_body": same}, "cpu")
    assert row["is_met"] is is_met


def test_crops_are_said_a_second():
    row = benchmark_report.row("crops", "reference", sides(0.125, 8.0), {}, "cpu")
    assert row["is_met"] and row["speedup"] == pytest.approx(64)
    assert benchmark_report.remarks(row) == [
        "Crops a second on one core: 8 (ours), 0.125 (as published)."
    ]


def test_gpu_hours_are_those_of_the_papers_iterations():
    row = benchmark_report.row("pretrain", "reference", sides(0.48, 2.0), {}, "cuda")
    assert row["gpu_hours"] == pytest.approx(60.0) and row["is_met"]
