"""A network is called in chunks only where it can be."""

import pytest
import torch
from torch import nn


class Chunked(nn.Module):
    """Returns the chunk size that it was given."""

    def forward(self, image, chunk_size=None):
        return chunk_size


@pytest.mark.parametrize(("crops", "views"), [(None, None), (3, 6)])
def test_a_chunk_is_two_views_of_each_crop(base, crops, views):
    assert base.ChunkInferer(crops)(torch.zeros(1), Chunked()) == views


def test_a_network_without_chunks_is_called_whole_or_refused_in_a_sentence(base, refusal):
    image = torch.rand(2, 3)
    assert base.ChunkInferer(None)(image, nn.Identity()) is image
    with refusal("takes a batch as a whole: leave --chunk_size out, and give a smaller --batch"):
        base.ChunkInferer(2)(image, nn.Identity())
