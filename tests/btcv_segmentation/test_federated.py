"""MONAI's federated client drives the bundle by the code of docs/federated.md."""

import ast
import json

import pytest
from bundle_runs import checked, copy_bundle, python
from helpers import ROOT

FILES = """
    config_train_filename=["configs/train.json", "configs/demo.json"],
    config_evaluate_filename=["configs/train.json", "configs/demo.json", "configs/evaluate.json"],
"""


@pytest.mark.slow
def test_a_federated_client_trains_evaluates_and_returns_the_metrics(tmp_path, phantoms):
    code = (ROOT / "docs/federated.md").read_text().split("```python")[1].split("```")[0]
    code = code.replace("/data/BTCV", str(phantoms / "btcv"))
    code = code.replace('    ".",\n', f'    ".",{FILES}')
    bundle = copy_bundle("btcv_segmentation", tmp_path)
    done = checked(python(bundle, "-c", code))
    metrics = [ast.literal_eval(line) for line in done.stdout.splitlines() if line[0:2] == "{'"]
    assert len(metrics) == 2 and metrics[0] != metrics[1]
    summary = json.loads((bundle / "evaluation/summary.json").read_text())
    assert metrics[1]["mean_dice"] == summary["mean_dice"]
    assert metrics[1]["mean_nsd_1mm"] == summary["over_organs"]["nsd_1mm"]["mean"]
