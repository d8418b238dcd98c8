"""Embeddings by hand-computed cases, and the table that an evaluator's run leaves."""

import csv
from pathlib import Path

import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator
from monai.networks.nets.swin_unetr import SwinTransformer


class ToyEncoder(torch.nn.Module):
    """Two stages: the image with a copy plus one, and its half-size mean; off while training."""

    def forward(self, image):
        if self.training:
            image = image + 100
        halved = torch.nn.functional.avg_pool3d(image, 2)
        return [torch.cat([image, image + 1], dim=1), halved * 10]


class ToyNetwork(torch.nn.Module):
    """A network whose output is its input."""

    def __init__(self):
        super().__init__()
        self.swinViT = ToyEncoder()

    def forward(self, image):
        return image


def ramp(values: list[float]) -> torch.Tensor:
    """(1, X, 2, 2) with these values along x."""
    return torch.tensor(values).reshape(1, -1, 1, 1).expand(1, -1, 2, 2)


def test_stages_are_averaged_over_tokens_and_windows(embeddings):
    first, second = embeddings.embedding(ToyEncoder().eval(), ramp([1, 3, 5, 7]), [2, 2, 2])
    assert first.tolist() == [4.0, 5.0] and second.tolist() == [40.0]


def test_the_last_window_is_moved_back_inside(embeddings):
    # windows 0..1 and 1..2: (0 + 3) / 2 and (3 + 12) / 2
    stages = embeddings.embedding(ToyEncoder().eval(), ramp([0, 3, 12]), [2, 2, 2])
    assert stages[0].tolist() == [4.5, 5.5]


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_windows_at_a_time_change_nothing(embeddings, batch_size):
    volume = torch.rand(1, 8, 4, 4)
    found = embeddings.embedding(ToyEncoder().eval(), volume, [2, 2, 2], batch_size)
    assert found[1].item() == pytest.approx(10 * volume.mean().item(), rel=1e-5)


def test_of_a_real_encoder_five_stages_of_the_two_windows(embeddings):
    encoder = SwinTransformer(1, 12, [4] * 3, [2] * 3, [1] * 4, [3, 6, 12, 24]).eval()
    volume = torch.rand(1, 96, 32, 32)
    with torch.no_grad():
        found = embeddings.embedding(encoder, volume, [64, 32, 32])
        first, second = encoder(volume[None, :, :64]), encoder(volume[None, :, 32:])
    assert [len(stage) for stage in found] == [12, 24, 48, 96, 192]
    for stage, a, b in zip(found, first, second):
        expected = (a.mean(dim=(0, 2, 3, 4)) + b.mean(dim=(0, 2, 3, 4))) / 2
        assert torch.allclose(stage, expected, atol=1e-6)
        assert not torch.allclose(stage, a.mean(dim=(0, 2, 3, 4)), atol=1e-4)


def evaluate(
    embeddings, folder: Path, cases: dict[str, list | None], dataset_dir: Path, times: int = 1
) -> list[list]:
    """Rows of the table after an evaluator's run; None instead of a ramp stops the run.

    Args:
        folder: where the images would be and `out/embeddings.csv` is.
        cases: name of each image in `folder` and its values along x.
        times: runs of the one evaluator.
    """

    def load(name):
        meta = {"filename_or_obj": str(folder / name)}
        intact = MetaTensor(ramp(cases[name]), meta=meta)
        return {"image": torch.zeros_like(intact), "intact": intact}

    network, path = ToyNetwork().train(), folder / "out/embeddings.csv"
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(list(cases), load), batch_size=1),
        network=network,
        val_handlers=[embeddings.EmbeddingTable(str(path), network, [2, 2, 2], str(dataset_dir))],
    )
    for _ in range(times):
        evaluator.run()
    assert network.training and network.swinViT.training
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_table_has_one_row_per_image_of_its_intact_volume(embeddings, tmp_path):
    cases = {"b/ct.nii.gz": [1, 3, 5, 7], "a.nii": [1 / 3, 1 / 3]}
    assert evaluate(embeddings, tmp_path, cases, tmp_path) == [
        ["image", "stage0_0", "stage0_1", "stage1_0"],
        ["b/ct.nii.gz", "4", "5", "40"],
        ["a.nii", "0.333333", "1.33333", "3.33333"],
    ]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["embeddings.csv"]


def test_a_rerun_replaces_the_table_and_a_failed_one_leaves_it(embeddings, tmp_path):
    evaluate(embeddings, tmp_path, {"a.nii": [1, 1], "b.nii": [2, 2]}, tmp_path)
    again = evaluate(embeddings, tmp_path, {"b.nii": [3, 3]}, tmp_path, times=2)
    assert again[1:] == [["b.nii", "3", "4", "30"]]
    before = (tmp_path / "out/embeddings.csv").read_bytes()
    with pytest.raises(RuntimeError):
        evaluate(embeddings, tmp_path, {"c.nii": [4, 4], "broken.nii": None}, tmp_path)
    assert (tmp_path / "out/embeddings.csv").read_bytes() == before


def test_one_file_as_dataset_dir_is_named_by_itself(embeddings, tmp_path):
    (tmp_path / "a.nii").touch()
    rows = evaluate(embeddings, tmp_path, {"a.nii": [1, 1]}, tmp_path / "a.nii")
    assert [row[0] for row in rows] == ["image", "a.nii"]
