"""The precision that a device computes in."""

import torch

from common.runtime import precision


def test_precision_follows_the_device(monkeypatch):
    assert precision.autocast_dtype("cpu") == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda emulated: True)
    assert precision.autocast_dtype(torch.device("cuda:0")) == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda emulated: False)
    assert precision.autocast_dtype(torch.device("cuda:0")) == torch.float16
