"""docs/own_data.md, step by step: labels of one's own numbers and names, in a bundle by itself."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
from bundle_runs import copy_bundle, python_here, run_here

NUMBERS = {1: 2, 8: 7, 6: 40, 2: 200}  # of BTCV's labels and one's own
NAMES = {"0": "background", "2": "Milz", "7": "Aorta", "40": "Leber", "200": "rechte Niere"}


def relabelled(btcv: Path, folder: Path) -> Path:
    """Phantoms whose label files hold one's own numbers, named as nnU-Net names them."""
    for kind, ending in [("img", "_0000"), ("label", "")]:
        (folder / kind).mkdir(parents=True)
        for path in sorted((btcv / "RawData/Training" / kind).iterdir()):
            image = nib.load(path)
            values = np.asanyarray(image.dataobj)
            if kind == "label":
                values = np.select([values == n for n in NUMBERS], list(NUMBERS.values()))
                values = values.astype(np.int16)
            number = path.name.removeprefix(kind).split(".")[0]
            nib.save(nib.Nifti1Image(values, image.affine), folder / kind / f"{number}{ending}.nii")
    return folder


def test_own_labels_from_files_to_predictions(phantoms, tmp_path):
    data = relabelled(phantoms / "btcv", tmp_path / "data")
    bundle = copy_bundle("btcv_segmentation", tmp_path)
    overlay = bundle / "configs/my_labels.json"
    folder = ["-m", "scripts", "datalist", "folder"]
    python_here(bundle, *folder, data / "img", data / "label", "--overlay", overlay)
    config = json.loads(overlay.read_text())
    assert set(config["labels"]) == set(NAMES)
    overlay.write_text(json.dumps(config | {"labels": NAMES, "spacing_mm": [6, 6, 6]}))

    training = ["--dataset_dir", data, "--datalist", "datalist.json"]
    short = ["--epochs", 1, "--val_interval", 1]
    run_here(bundle, "train demo my_labels", *training, *short)
    run_here(bundle, "train demo evaluate my_labels", *training, "--evaluate_on", "all")
    with (bundle / "evaluation/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["label"], row["name"]) for row in rows} == set(list(NAMES.items())[1:])
    label = np.asanyarray(nib.load(data / "label/0002.nii").dataobj)
    voxel_ml = np.prod(nib.load(data / "label/0002.nii").header.get_zooms()) / 1000
    (row,) = [row for row in rows if row["case"] == "0002_0000" and row["label"] == "40"]
    assert abs(float(row["reference_volume_ml"]) - np.sum(label == 40) * voxel_ml) < 1

    run_here(bundle, "inference demo my_labels", "--dataset_dir", data / "img")
    made = [np.asanyarray(nib.load(path).dataobj) for path in (bundle / "predictions").iterdir()]
    found = set(np.unique(np.concatenate([labels.ravel() for labels in made])))
    assert len(made) == 5 and len(found) > 1 and found <= {0, *NUMBERS.values()}


def test_a_blank_ct_is_background_and_a_guess_is_said(finetuned, tmp_path):
    blank = nib.Nifti1Image(np.full((30, 28, 1), -1000, np.int16), None)
    blank.header["pixdim"][1:4] = 5, 5, 5
    (tmp_path / "i").mkdir()
    nib.save(blank, tmp_path / "i/blank.nii.gz")
    flags = ["--dataset_dir", tmp_path / "i", "--output_dir", tmp_path / "o"]
    done = run_here(finetuned[0], "inference demo", *flags)
    label = nib.load(tmp_path / "o/blank_seg.nii.gz")
    assert label.shape == (30, 28, 1) and not np.asarray(label.dataobj).any()
    assert label.header["sform_code"] == label.header["qform_code"] == 0
    for words in ("no window varies", "no orientation in its header"):
        assert f"{tmp_path}/i/blank.nii.gz: {words}" in done.stderr
    assert f"{tmp_path}/i/blank.nii.gz: no voxel is labelled" in done.stdout
