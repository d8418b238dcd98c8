"""Architecture of a state dict: a window is read from its constant, cube or not."""

import pytest
from monai.networks.nets.swin_unetr import SwinTransformer

from common.weights.architecture import FIRST_INDEX, describe, read_architecture

SMALL = {"in_chans": 1, "embed_dim": 12, "patch_size": (2, 2, 2), "depths": (1, 1, 1, 1)}


def tensors_of(window: tuple[int, ...]) -> dict:
    encoder = SwinTransformer(**SMALL, num_heads=(3, 6, 12, 24), window_size=window)
    return {f"swinViT.{name}": value for name, value in encoder.state_dict().items()}


@pytest.mark.parametrize("window", [(7, 7, 8), (4, 7, 5), (2, 3, 4), (7, 7, 2), (6, 2, 3)], ids=str)
def test_a_window_that_is_no_cube_is_read_from_the_constant(window):
    tensors = tensors_of(window)
    found = read_architecture(tensors)
    assert found.window_size == window
    assert f"window size {','.join(map(str, window))}," in describe(found)
    del tensors[FIRST_INDEX]
    assert read_architecture(tensors).window_size is None


@pytest.mark.parametrize("edge", [2, 4, 7])
def test_a_cube_needs_no_constant(edge):
    tensors = tensors_of((edge,) * 3)
    assert read_architecture(tensors).window_size == edge
    del tensors[FIRST_INDEX]
    assert read_architecture(tensors).window_size == edge


@pytest.mark.parametrize("window", [(1, 3, 2), (3, 1, 2), (5, 2, 1)], ids=str)
def test_a_window_of_one_token_along_an_axis_may_be_another(window):
    assert read_architecture(tensors_of(window)).window_size is None
