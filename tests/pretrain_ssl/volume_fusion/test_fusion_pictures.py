"""The pictures of a validation in TensorBoard: fused crop, true share, predicted share."""

import numpy as np
import torch
from helpers import config_files
from ignite.engine import Engine
from monai.bundle import ConfigParser
from torch.nn.functional import one_hot

SHAPE = (16, 12, 8)


def test_a_validation_draws_fused_crops_and_both_shares(fusion, settings, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "torch.utils.tensorboard.SummaryWriter.add_image",
        lambda self, name, picture, step, **kwargs: drawn.append((name, picture, step)),
    )
    levels = torch.randint(0, 5, (2, *SHAPE))
    output = {
        "image": torch.rand(2, 1, *SHAPE),
        "label": {"labels": levels[:, None]},
        "pred": one_hot((levels + 1) % 5, 5).movedim(-1, 1).float(),
    }
    trainer, evaluator = Engine(lambda *_: None), Engine(lambda *_: output)
    fusion.FusionPictures(str(tmp_path), evaluator).attach(trainer)
    trainer.run([0] * 3)
    evaluator.run([0, 0])
    ((name, picture, step),) = drawn
    assert (name, step) == ("validation/fused_true_predicted", 3)
    fused, true, predicted = np.hsplit(picture, 3)
    assert fused.shape == (2 * SHAPE[1], SHAPE[0])  # a row for each crop
    grey = np.array([0, 64, 128, 191, 255])
    middle = np.vstack([crop[:, :, SHAPE[2] // 2].T[::-1, ::-1] for crop in levels.numpy()])
    assert np.array_equal(true, grey[middle]) and np.array_equal(predicted, grey[(middle + 1) % 5])
    first = output["image"][0, 0, :, :, SHAPE[2] // 2].T.flip(0, 1)
    assert np.array_equal(fused[: SHAPE[1]], (first * 255).round())


def test_the_overlay_gives_the_pictures_to_the_trainer():
    parser = ConfigParser()
    parser.read_config(config_files("pretrain_ssl", "train", "objectives/volume_fusion"))
    (handler,) = parser["train_handlers"]
    assert handler["_target_"] == "scripts.objectives.volume_fusion.FusionPictures"
    assert handler["evaluator"] == "@validate::evaluator"
