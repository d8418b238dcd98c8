"""The objective as a user runs it: resumed exactly, and in two processes."""

import csv
import json
from pathlib import Path

import pytest
import torch
from bundle_runs import copy_bundle
from objective_runs import SHORT, check_resumes_exactly, run_two_processes

OVERLAY, FEW = "objectives/distilled", ["--prototypes", 64]


def restored_losses(bundle: Path) -> list[float]:
    """The term of hidden voxels of each validation."""
    with (bundle / "runs/demo/metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [float(row["value"]) for row in rows if row["name"] == "validation/masked_loss"]


@pytest.mark.slow
def test_a_run_that_goes_on_is_the_run_that_would_have_been(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    command = [f"train {OVERLAY} demo", "--dataset_dir", phantoms / "corpus", *SHORT, *FEW]
    command += ["--train_handlers::0::frozen", 0.5]  # of 4 iterations; it goes on after the first
    state = check_resumes_exactly(bundle, *command)
    folder = bundle / "runs/demo/checkpoints"
    states = [torch.load(folder / f"iteration_{n}.pt", weights_only=True) for n in (1, 2, 3)]
    for name in ("token_head.prototypes", "global_head.prototypes"):
        first, second, third = (state["network"][name] for state in states)
        assert torch.equal(first, second) and not torch.equal(second, third)
    best = torch.load(folder / "best.pt", weights_only=True)
    assert best["validation"]["best_metric"] == pytest.approx(min(restored_losses(bundle)))
    weights = {name.removeprefix("/0/network/"): value for name, value in state.items()}
    assert weights["teacher.token_centre"].abs().sum() > 0
    student, teacher = weights["mask_token"], weights["teacher.token_head.mlp.0.weight"]
    assert len(student) == 12 and not torch.equal(teacher, weights["token_head.mlp.0.weight"])


# Every process saves its teacher, and the mean logits of its own crops, after the last step
SAVE_TEACHER = """
import ignite.distributed as idist
import torch
from ignite.engine import Events

class SaveTeacher:
    def attach(self, engine):
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine):
        teacher = engine.network.module.teacher.state_dict()
        means = {k: v for k, v in engine.state.output["label"].items() if k.endswith("_mean")}
        torch.save({"teacher": teacher, "means": means}, f"rank_{idist.get_rank()}.pt")
"""


@pytest.mark.slow
def test_two_processes_have_one_teacher_and_one_centre(phantoms, tmp_path):
    bundle = copy_bundle("pretrain_ssl", tmp_path)
    (bundle / "save_teacher.py").write_text(SAVE_TEACHER)
    handler = {"+train_handlers": ["$__import__('save_teacher').SaveTeacher()"]}
    (bundle / "configs/save_teacher.json").write_text(json.dumps(handler))
    run_two_processes(bundle, f"{OVERLAY} save_teacher", phantoms / "corpus", *FEW)
    first, second = (torch.load(bundle / f"rank_{rank}.pt", weights_only=True) for rank in range(2))
    for name in ("token", "global"):  # each process saw other crops
        assert not torch.equal(first["means"][f"{name}_mean"], second["means"][f"{name}_mean"])
        assert first["teacher"][f"{name}_centre"].abs().sum() > 0
    assert first["teacher"].keys() == second["teacher"].keys() and len(first["teacher"]) > 50
    assert all(torch.equal(v, second["teacher"][name]) for name, v in first["teacher"].items())
