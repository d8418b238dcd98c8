"""Pictures of a training: which slice, which way round, which colours, and when."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from common.segmentation import previews

TRAIN, VALIDATION = (f"{stage}/image_reference_prediction" for stage in ("train", "validation"))


def labels(shape=(4, 3, 2)) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.uint8)


def item(size: int = 3) -> dict:
    """A case as an engine's output has it: reference one-hot, scores of two classes."""
    image = torch.rand(1, size, 3, 2)
    return {"image": image, "label": torch.ones(1, size, 3, 2), "pred": torch.rand(2, size, 3, 2)}


def engine(iteration: int = 0, items: int = 1, size: int = 3) -> SimpleNamespace:
    output = [item(size) for _ in range(items)]
    return SimpleNamespace(state=SimpleNamespace(iteration=iteration, output=output))


def pictures(folder, name: str) -> dict[int, tuple[int, int]]:
    """Width and height of the pictures in TensorBoard's files, by step."""
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0}).Reload()
    if name not in events.Tags()["images"]:
        return {}
    return {event.step: (event.width, event.height) for event in events.Images(name)}


def test_slice_with_most_labels_is_shown_with_anterior_up_and_right_at_the_left():
    image = torch.zeros(1, 4, 3, 2)
    image[0, 3, 2, 1] = 1.0  # right and anterior
    reference = labels()
    reference[0, 0, 1] = 1  # left and posterior
    picture = previews.preview(image, reference, labels())
    assert picture.shape == (3, 12, 3) and picture.dtype == np.uint8
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert (picture[1:, :4] == 0).all() and (picture[:, 8:] == picture[:, :4]).all()
    painted = np.argwhere((picture[:, 4:8] != picture[:, :4]).any(-1))
    assert painted.tolist() == [[2, 3]]


def test_without_a_reference_the_middle_slice_is_shown():
    image = torch.zeros(1, 2, 2, 5)
    image[0, 0, :, 2] = 1.0
    assert previews.preview(image, labels((2, 2, 5)), labels((2, 2, 5))).max() == 255


def test_a_flat_image_is_no_division_by_zero():
    assert (previews.preview(torch.ones(1, 4, 3, 2), labels(), labels()) == 0).all()


def test_equal_classes_have_equal_colours_and_others_differ():
    reference, prediction = labels(), labels()
    reference[:, 0], reference[:, 1], prediction[:, 0] = 1, 2, 1
    picture = previews.preview(torch.zeros(1, 4, 3, 2), reference, prediction)
    assert (picture[2, 4:8] == picture[2, 8:]).all()
    assert (picture[2, 4:8] != picture[1, 4:8]).any()


@pytest.mark.parametrize("channels", [1, 2])
def test_numbers_scores_and_one_hot_are_understood(channels):
    numbers = torch.tensor([[[0, 1]]])
    given = numbers[None] if channels == 1 else torch.stack([1 - numbers, numbers]).float()
    assert torch.equal(previews.channel_numbers(given), numbers)


def test_a_training_is_pictured_early_and_then_ever_more_rarely(tmp_path):
    handler = previews.Previews(str(tmp_path), evaluator=None, count=2)
    for iteration in range(1, 21):
        handler.step_completed(engine(iteration, items=3))
    assert pictures(tmp_path, TRAIN) == {step: (9, 6) for step in (1, 2, 4, 8, 16)}


def test_a_validation_shows_its_first_cases_each_time(tmp_path):
    handler = previews.Previews(str(tmp_path), evaluator=None, count=2)
    for epoch in (1, 3):
        for size in (3, 5, 4):
            handler.case_completed(engine(size=size))
        handler.validation_completed(engine(), trainer=engine(iteration=10 * epoch))
    assert pictures(tmp_path, VALIDATION) == {step: (15, 6) for step in (10, 30)}


def test_a_run_has_both(finetuned):
    run = finetuned[0] / "runs/demo"
    curves = (run / "metrics.csv").read_text().splitlines()
    assert set(pictures(run, TRAIN)) >= {1, 2}
    (step,) = pictures(run, VALIDATION)
    assert any(row.startswith(f"{step},validation/mean_dice,") for row in curves)
