"""What the heads read and make of it, alone and among processes."""

import pytest
import torch
from torch import nn


@pytest.fixture
def heads(objective):
    return objective.heads


def test_tokens_are_read_all_in_place_or_as_mean_or_singly(heads):
    features = torch.rand(2, 3, 2, 2, 1)
    assert torch.equal(heads.ReadTokens("all")(features), features.reshape(2, 12))
    assert torch.allclose(heads.ReadTokens("mean")(features), features.mean(dim=(2, 3, 4)))
    assert torch.equal(heads.ReadTokens(1)(features), features[:, :, 0, 1, 0])


def test_rotation_head_sees_where_a_feature_is(heads):
    head, features = heads.RotationHead(2, [64, 64, 32]), torch.rand(1, 2, 2, 2, 1)
    assert head(features).shape == (1, 4)
    assert not torch.allclose(head(features), head(features.rot90(1, dims=(2, 3))))


def test_pooled_rotation_head_takes_any_size_and_is_blind_to_places(heads):
    head, features = heads.RotationHead(2, [64, 64, 32], tokens="mean"), torch.rand(1, 2, 3, 3, 2)
    assert torch.allclose(head(features), head(features.rot90(1, dims=(2, 3))), atol=1e-6)


def test_contrastive_head_reads_the_mean_of_all_tokens(heads):
    head, features = heads.ContrastiveHead(4, embedding_size=3).eval(), torch.rand(2, 4, 2, 2, 1)
    assert torch.allclose(head(features), head(features.flip(2)), atol=1e-6)
    assert head(features).shape == (2, 3)


def test_projections_are_what_their_names_say(heads):
    def layers(kind):
        made = nn.Sequential(heads.projection(kind, 4, 5, 6))
        return [type(layer).__name__ for layer in made.modules()][1:]

    assert layers("linear") == ["Linear"]
    assert layers("mlp") == ["Sequential", "Linear", "ReLU", "Linear"]
    hidden = ["Linear", "GatheredBatchNorm1d", "ReLU", "Linear"]
    assert layers("batch_norm_mlp") == ["Sequential", *hidden]


def test_an_unknown_projection_is_refused(heads):
    with pytest.raises(ValueError, match="'cubic' is unknown; choose from linear, mlp"):
        heads.projection("cubic", 4, 4, 4)
