"""One image that fails does not stop the others."""

import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import IterationEvents
from monai.inferers import SimpleInferer
from monai.transforms import SaveImaged
from torch import nn

from common import errors
from common.data import nifti
from common.inference import outputs
from common.runtime import evaluator


@pytest.fixture
def evaluate():
    """`evaluate(names, at, error)`: `at` is the step that raises the error for "bad" images."""

    def make(
        names: list[str], at="loading", error: Exception | None = None, workers=0, sampler=None
    ):
        def step(name: str):
            def apply(item: dict) -> dict:
                if at == name and "bad" in str(item["path"]):
                    raise error
                done.extend([item["path"]] if name == "saving" else [])
                return item

            return apply

        class Network(nn.Module):
            def forward(self, image):
                if at == "network" and image.max() > 1:
                    raise error
                return image

        done: list[str] = []
        items = [{"image": name, "path": name} for name in names]
        made = evaluator.ContinueOnErrorEvaluator(
            device="cpu",
            val_data_loader=DataLoader(
                Dataset(items, transform=lambda item: voxels(step("loading")(item))),
                batch_size=1,
                num_workers=workers,
                sampler=sampler,
            ),
            network=Network(),
            inferer=SimpleInferer(),
            postprocessing=step("saving"),
        )
        return made, done

    return make


def voxels(item: dict) -> dict:
    return item | {"image": torch.full((1, 4, 4, 4), 2.0 if "bad" in item["path"] else 1.0)}


def failures():
    mistake = errors.InputError("bad.nii is cut short.")
    return [
        ("loading", mistake, "failed: bad.nii is cut short."),
        ("network", RuntimeError("no\nidea"), "failed: bad.nii: RuntimeError: no"),
        ("network", MemoryError(), "failed: bad.nii: there is not enough memory for it"),
        (
            "network",
            torch.OutOfMemoryError("CUDA out of memory. Tried"),
            "failed: bad.nii: there is not enough memory for it (OutOfMemoryError: CUDA out",
        ),
        ("saving", OSError(28, "No space left"), "failed: bad.nii: OSError: [Errno 28] No space"),
    ]


@pytest.mark.parametrize("case", range(5))
def test_the_others_are_done_and_the_error_names_those_that_failed(evaluate, refusal, caplog, case):
    at, error, line = failures()[case]
    engine, done = evaluate(["a.nii", "bad.nii", "c.nii", "b/bad2.nii"], at, error)
    with refusal(r"2 of 4 images could not be segmented: bad.nii, b/bad2.nii; the lines above"):
        engine.run()
    assert done == ["a.nii", "c.nii"]
    assert line in caplog.text
    assert "Traceback" not in caplog.text


def test_a_single_image_fails_with_its_own_error(evaluate):
    for at in ("loading", "network", "saving"):
        engine, _ = evaluate(["bad.nii"], at, ZeroDivisionError("mine"))
        with pytest.raises((ZeroDivisionError, RuntimeError)) as caught:
            engine.run()
        chain = [caught.value, caught.value.__cause__]
        assert any(isinstance(error, ZeroDivisionError) for error in chain)


def test_a_prediction_that_cannot_be_written_is_named(tmp_path):
    """MONAI's `SaveImaged` hides its writer's error in a text."""
    (tmp_path / "out").touch()  # a file where the folder should be
    layout = outputs.OutputNames(str(tmp_path / "out"), "/data")
    save = SaveImaged("pred", folder_layout=layout, writer=nifti.VolumeWriter)
    pred = MetaTensor(torch.zeros(1, 4, 4, 4), meta={"filename_or_obj": "/data/a.nii"})
    with pytest.raises(RuntimeError) as caught:
        save({"pred": pred})
    sentence = errors.sentence_of(caught.value)
    assert sentence.startswith(f"{tmp_path}/out/a_seg.nii.gz cannot be written (File exists)")


def test_a_worker_that_reads_ahead_loses_no_image(evaluate, refusal):
    engine, done = evaluate(["bad.nii", "b.nii", "c.nii"], "loading", ValueError("x"), workers=1)
    with refusal("1 of 3 images could not be segmented: bad.nii;"):
        engine.run()
    assert done == ["b.nii", "c.nii"]


def test_whole_runs_raise_nothing_and_count_every_image(evaluate):
    engine, done = evaluate(["a.nii", "b.nii"])
    counted = []
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda e: counted.append(e.state.output))
    engine.run()
    assert done == ["a.nii", "b.nii"] and len(counted) == 2


def test_nothing_of_a_failed_image_is_kept(evaluate, refusal):
    """A second run begins anew; handlers get an empty output for an image that failed."""
    engine, _ = evaluate(["a.nii", "bad.nii"], "network", ValueError("x"))
    outputs = []
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda e: outputs.append(e.state.output))
    for _ in range(2):
        with refusal("1 of 2 images"):
            engine.run()
    assert [len(output) for output in outputs] == [1, 0, 1, 0]


def test_the_error_says_what_could_not_be_done(evaluate, refusal):
    engine, _ = evaluate(["a.nii", "bad.nii"], "network", ValueError("x"))
    engine.purpose = "evaluated"
    with refusal("1 of 2 images could not be evaluated: bad.nii;"):
        engine.run()


def test_a_handler_that_fails_on_an_image_fails_that_image_alone(evaluate, refusal, caplog):
    engine, _ = evaluate(["a.nii", "b.nii", "c.nii"])
    measured = []

    def measure(engine):
        measured.append(engine.state.iteration)
        if len(measured) == 2:
            raise MemoryError

    engine.add_event_handler(IterationEvents.MODEL_COMPLETED, measure)
    with refusal("1 of 3 images could not be segmented: b.nii;"):
        engine.run()
    assert measured == [1, 2, 3]
    assert "failed: b.nii: there is not enough memory" in caplog.text


def test_the_first_of_several_processes_names_the_failures_of_all(evaluate, refusal, monkeypatch):
    """Each process takes its share in the sampler's order; one image may be in two shares."""
    names = ["a.nii", "bad.nii", "c.nii", "bad3.nii"]
    engine, done = evaluate(names, "network", ValueError("x"), sampler=[3, 0])
    monkeypatch.setattr(evaluator, "gather", lambda failed: [failed, ["bad.nii", "bad3.nii"]])
    with refusal("2 of 4 images could not be segmented: bad3.nii, bad.nii;"):
        engine.run()
    monkeypatch.setattr(evaluator, "is_main_process", lambda: False)
    engine.run()
    assert done == ["a.nii"] * 2


def test_a_network_of_several_processes_runs_without_the_others(evaluate):
    engine, _ = evaluate(["a.nii"])
    wrapped = nn.DataParallel(nn.Identity())
    other = evaluator.ContinueOnErrorEvaluator(
        device="cpu", val_data_loader=engine.data_loader.loader, network=wrapped
    )
    assert other.network is wrapped.module
