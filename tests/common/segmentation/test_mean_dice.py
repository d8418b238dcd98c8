"""The Dice of a validation by several processes is that of one: no case counts twice."""

import pytest
import torch
from monai.data import DataLoader, Dataset, DistributedSampler
from monai.engines import SupervisedEvaluator
from monai.handlers import MeanDice, from_engine
from monai.inferers import SimpleInferer
from monai.metrics.utils import do_metric_reduction
from monai.transforms import AsDiscreted
from torch import nn

from common.segmentation import CaseMeanDice

SETTINGS = {"include_background": False, "output_transform": from_engine(["pred", "label"])}


def cases(count: int) -> Dataset:
    """Case n has n + 1 of 8 voxels predicted right; case 1 lacks the second label."""
    items = []
    for n in range(count):
        label = torch.tensor([1.0, 1, 1, 1, 2, 2, 0, 0] if n != 1 else [1.0] * 4 + [0] * 4)
        predicted = label.clone()
        predicted[n + 1 :] = 0
        items.append({"image": predicted.view(1, 2, 2, 2), "label": label.view(1, 2, 2, 2)})
    return Dataset(items)


def validated(dataset: Dataset, sampler=None, kind=CaseMeanDice, batch_size=1) -> torch.Tensor:
    """The Dice of each case and label that one process adds."""

    class Network(nn.Module):
        def forward(self, image):
            return torch.cat([image == channel for channel in range(3)], 1).float()

    metric = kind(**SETTINGS)
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=batch_size, sampler=sampler),
        network=Network(),
        inferer=SimpleInferer(),
        postprocessing=AsDiscreted(["pred", "label"], argmax=[True, False], to_onehot=3),
        key_val_metric={"mean_dice": metric},
    )
    evaluator.run(1)
    evaluator.run(2)  # a second validation counts from the start
    return metric.metric_fn.get_buffer()


def mean_of(buffers: list[torch.Tensor]) -> float:
    return float(do_metric_reduction(torch.cat(buffers), "mean")[0])


@pytest.mark.parametrize(("count", "processes"), [(6, 4), (5, 2), (6, 3), (2, 5), (1, 2), (6, 1)])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_each_case_counts_once_in_however_many_processes(count, processes, batch_size):
    dataset = cases(count)
    samplers = [
        DistributedSampler(dataset, True, processes, rank, shuffle=False)
        for rank in range(processes)
    ]
    parts = [validated(dataset, sampler, batch_size=batch_size) for sampler in samplers]
    assert len({len(part) for part in parts}) == 1  # processes take as many steps
    alone = mean_of([validated(dataset, kind=MeanDice)])
    assert mean_of(parts) == pytest.approx(alone, abs=1e-6)
    if count % processes and count > processes:  # MONAI's own counts some twice
        doubled = [validated(dataset, sampler, MeanDice) for sampler in samplers]
        assert abs(mean_of(doubled) - alone) > 1e-3


def test_one_process_has_monais_own_mean():
    ours, monais = (validated(cases(4), kind=kind) for kind in (CaseMeanDice, MeanDice))
    assert torch.equal(ours.nan_to_num(-1), monais.nan_to_num(-1)) and ours.isnan().any()
