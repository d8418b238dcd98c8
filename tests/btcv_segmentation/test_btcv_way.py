"""The whole way of the README: data list, five folds, ensemble, evaluation, report."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest
from bundle_runs import copy_bundle, python, run
from helpers import ROOT

from tools import phantom

FOLDS = range(5)


@pytest.mark.slow
def test_from_btcvs_archive_to_a_report_of_the_ensemble(pretrained, tmp_path):
    phantom.btcv(str(tmp_path / "BTCV"), count=10, spacing_mm=6.0)
    phantom.btcv(str(tmp_path / "unseen"), count=2, first=101, spacing_mm=6.0)
    bundle = copy_bundle("btcv_segmentation", tmp_path)  # alone: nothing lies beside it
    python(bundle, "-m", "scripts", "datalist", "btcv", tmp_path / "BTCV")
    data = ["--dataset_dir", tmp_path / "BTCV", "--datalist", "datalist.json"]
    for fold in FOLDS:
        flags = [*data, "--fold", fold, "--run_name", f"fold{fold}", "--epochs", 2]
        flags += ["--val_interval", 1, "--pretrained", pretrained / "models/encoder.pt"]
        done = run(bundle, "train demo", *flags)
        assert "8 of 8 labelled volumes train" in done.stdout
        assert "encoder 70 of 70 tensors" in done.stdout
    best = "runs/fold{}/checkpoints/best.pt"
    for fold in FOLDS:
        flags = [*data, "--fold", fold, "--ckpt_path", best.format(fold)]
        run(bundle, "train demo evaluate", *flags, "--evaluation_dir", f"evaluation/fold{fold}")
    folders = [f"evaluation/fold{fold}" for fold in FOLDS]
    python(bundle, "-m", "scripts", "evaluation", "merge", *folders, "--output", "evaluation/all")
    with (bundle / "evaluation/all/metrics.csv").open() as file:
        cases = {row["case"] for row in csv.DictReader(file)}
    assert cases == {f"img{number:04}" for number in range(1, 11)}  # each validated once

    unseen, ensemble = ["--dataset_dir", tmp_path / "unseen"], ["--ckpt_path", best.format("*")]
    flags = [*unseen, *ensemble, "--evaluate_on", "all", "--evaluation_dir", "evaluation/ensemble"]
    done = run(bundle, "train demo evaluate", *flags)
    assert "ensemble of 5 networks" in done.stdout
    summary = json.loads((bundle / "evaluation/ensemble/summary.json").read_text())
    assert summary["cases"] == 2 and summary["mean_dice"] is not None

    images = tmp_path / "unseen/RawData/Training/img"
    run(bundle, "inference demo", "--dataset_dir", images, *ensemble)
    for image in map(nib.load, sorted(images.iterdir())):
        name = image.get_filename().split("/")[-1].replace(".nii", "_seg.nii")
        made = nib.load(bundle / "predictions" / name)
        assert made.shape == image.shape and np.allclose(made.affine, image.affine, atol=1e-5)
    report = ["tools/report", "page", tmp_path / "report.html", "--runs", bundle / "runs/fold0"]
    report += ["--evaluation", bundle / "evaluation/ensemble/metrics.csv", "--segmented", images]
    report += ["--predictions", bundle / "predictions", "--references", images.parent / "label"]
    python(ROOT, *report)
    assert "img0101" in (tmp_path / "report.html").read_text()
