"""The objective as a user runs it: resumed exactly, and in two processes."""

import pytest
import torch
from bundle_runs import copy_bundle
from objective_runs import SHORT, check_resumes_exactly, run_two_processes

OVERLAY, FEW = "objectives/distilled", ["--prototypes", 64]


@pytest.mark.slow
def test_a_run_that_goes_on_is_the_run_that_would_have_been(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    command = [f"train {OVERLAY} demo", "--dataset_dir", phantoms / "corpus", *SHORT, *FEW]
    state = check_resumes_exactly(bundle, *command)
    weights = {name.removeprefix("/0/network/"): value for name, value in state.items()}
    assert weights["teacher.token_centre"].abs().sum() > 0
    student, teacher = weights["mask_token"], weights["teacher.token_head.mlp.0.weight"]
    assert len(student) == 12 and not torch.equal(teacher, weights["token_head.mlp.0.weight"])


@pytest.mark.slow
def test_two_processes_train(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    run_two_processes(bundle, OVERLAY, phantoms / "corpus", *FEW)
