"""The floor's counts by hand, and its table."""

import pytest
import torch
from monai.networks.nets.swin_unetr import SwinTransformer

from tools.benchmark.floor import counts, print_floor


def test_counts_of_an_encoder_without_padding():
    """28³ voxels are 14³ tokens, 8 windows; then 7³, 4³ and 2³, one window each."""
    encoder = SwinTransformer(1, 12, (7, 7, 7), (2, 2, 2), (1, 1, 1, 1), (3, 6, 12, 24))
    found = counts(encoder, torch.rand(1, 1, 28, 28, 28))
    stages = [(8, 343, 12, 3), (1, 343, 24, 6), (1, 64, 48, 12), (1, 8, 96, 24)]
    assert found["exps"] == sum(w * n * n * heads for w, n, _, heads in stages)
    attention = sum(4 * w * n * n * dim for w, n, dim, _ in stages)
    blocks = sum(24 * w * n * dim**2 for w, n, dim, _ in stages)  # qkv 3, projection 1, MLP 8
    after = [343, 64, 8, 1]  # tokens when a stage has merged 8 into 1, of width 2 dim
    merging = sum(2 * n * 8 * dim * 2 * dim for n, (_, _, dim, _) in zip(after, stages))
    assert found["flops"] == attention + blocks + merging
    assert found["bytes"] > 0


@pytest.mark.filterwarnings("ignore")
def test_table_adds_the_seconds_up(capsys):
    print_floor(feature_size=12, size=32)
    lines = capsys.readouterr().out.strip().splitlines()
    seconds = [float(line.split("|")[-2]) for line in lines[2:]]
    assert len(seconds) == 4
    assert seconds[3] == pytest.approx(sum(seconds[:3]), abs=0.002)
