"""The sentence of an error of PyTorch or MONAI that a user can mend."""

import pytest
import torch
from monai.bundle import ConfigParser

from common import errors


def shown(capsys, error: BaseException) -> str:
    errors.show_sentence(type(error), error, None)
    return capsys.readouterr().err


def chained(outer: BaseException, cause: BaseException) -> BaseException:
    outer.__cause__ = cause
    return outer


KILLED = "a process that loads images was killed"
ENDED = "another process of this run has ended"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("DataLoader worker (pid 12) is killed by signal: Killed. ", KILLED),
        ("DataLoader worker (pid 12) is killed by signal: Bus error. It is possible that", KILLED),
        ("DataLoader worker (pid(s) 12, 13) exited unexpectedly", KILLED),
        ("[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:1421.", ENDED),
        ("CUDA out of memory. Tried to allocate 2.00 GiB.", "the GPU has not enough memory"),
        (
            "Expected more than 1 spatial element when training, got input size (2, 192, 1, 1, 1)",
            "--patch_size leaves one voxel at the network's coarsest level",
        ),
        ("Invalid device string: 'cuda:x'", "--device names no device of PyTorch"),
        ("No CUDA GPUs are available", "PyTorch finds no CUDA device here"),
        ("Found no NVIDIA driver on your system.", "PyTorch finds no CUDA device here"),
    ],
)
def test_errors_of_pytorch_that_a_user_can_mend_are_one_sentence(capsys, text, words):
    error = chained(RuntimeError("Failed to evaluate"), RuntimeError(text))
    assert shown(capsys, error).startswith(f"error: {words}")
    assert shown(capsys, error).count("\n") == 1


def test_too_little_memory_is_explained(capsys):
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50)
    for error in (MemoryError(), caught.value):
        assert "error: this machine has not enough memory; give a smaller" in shown(capsys, error)


def test_an_argument_that_a_component_of_a_config_does_not_take_is_named(capsys):
    node = {"_target_": "torch.nn.Dropout", "p": 0.5, "inplcae": True}
    with pytest.raises(RuntimeError) as caught:
        ConfigParser({"layer": node}).get_parsed_content("layer")
    sentence = "error: torch.nn.Dropout takes no argument inplcae; mend the key of that name"
    assert shown(capsys, caught.value).startswith(sentence)


def test_the_same_error_inside_a_component_keeps_its_traceback(capsys):
    cause = TypeError("f() got an unexpected keyword argument 'other'")
    error = RuntimeError("Failed to instantiate component 'a.B' with keywords: mine,yours\n set")
    text = shown(capsys, chained(error, cause))
    assert "takes no argument" not in text and "TypeError: f() got an unexpected" in text
