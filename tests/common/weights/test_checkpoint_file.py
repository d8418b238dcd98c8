"""A file that is no weights is told from a damaged one, and one that would run code is not run."""

import pickle
import re
import zipfile
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from weight_layouts import saved

from common.weights import checkpoint_file

TENSORS = {"swinViT.a": torch.ones(5000)}
PAGE = b"\n<!DOCTYPE html><html>Sign in</html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def write(kind: str, path: Path) -> None:
    """A file of one kind that holds no weights to use."""
    is_new = "old" not in kind
    if kind.startswith("cut"):
        torch.save(TENSORS, path, _use_new_zipfile_serialization=is_new)
        cut(path)
    elif kind.startswith("code"):
        other = np.array(["text"]) if kind == "code of numpy" else Namespace(a=1)
        content = {"state_dict": TENSORS, "args": other}
        torch.save(content, path, _use_new_zipfile_serialization=is_new)
    elif kind == "TorchScript":
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("a/b.txt", "text")
    elif kind == "pickle":
        path.write_bytes(pickle.dumps({"a": 1}))
    else:
        path.write_bytes(
            {"empty": b"", "text": b"Not found", "page": PAGE, "pointer": POINTER}[kind]
        )


AGAIN = "is cut short or damaged; copy or download it again"
CODE = "and loading that could run code, so it is not loaded; if you trust its source"


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("cut", AGAIN),
        ("cut old", AGAIN),
        ("code", f"holds argparse.Namespace beside tensors, {CODE}"),
        ("code old", f"holds argparse.Namespace beside tensors, {CODE}"),
        ("code of numpy", "holds numpy._core.multiarray._reconstruct beside tensors"),
        ("TorchScript", "is a TorchScript program, not weights"),
        ("zip", "is no checkpoint of PyTorch; get one"),
        ("pickle", "is no checkpoint of PyTorch; get one"),
        ("empty", "is no checkpoint of PyTorch; get one"),
        ("text", "is no checkpoint of PyTorch; get one"),
        ("page", "is a web page, not the weights; download the file itself, or get one"),
        ("pointer", "is a pointer of git-lfs, not the weights; fetch them by `git lfs pull`"),
    ],
)
def test_sentence_of_each_file_that_does_not_load(refusal, tmp_path, kind, words):
    path = tmp_path / "a.pt"
    write(kind, path)
    with refusal(f"^{re.escape(str(path))} {re.escape(words)}"):
        checkpoint_file.read_state_dict(str(path), "get one.")


@pytest.mark.parametrize("is_new", [True, False])
def test_numbers_of_numpy_beside_the_weights_do_no_harm(tmp_path, is_new):
    figures = {"best_acc": np.float64(0.8), "epoch": np.int64(3), "loss": np.float32(1)}
    path = tmp_path / "a.pt"
    torch.save(figures | {"state_dict": TENSORS}, path, _use_new_zipfile_serialization=is_new)
    state = checkpoint_file.read_state_dict(str(path), "get one.")
    assert torch.equal(state["swinViT.a"], TENSORS["swinViT.a"])
    if not is_new:  # as NumPy 1 wrote it
        written = path.read_bytes()
        assert b"numpy._core.multiarray" in written
        path.write_bytes(written.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
        checkpoint_file.read_state_dict(str(path), "get one.")


@pytest.mark.parametrize("content", [{}, [torch.ones(1)], torch.ones(1), {"network": {}}])
def test_what_is_no_state_dict_is_refused(refusal, tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    with refusal(r"a\.pt.* is not a state dict; get one"):
        checkpoint_file.read_state_dict(str(tmp_path / "a.pt"), "get one.")


def test_an_unknown_container_is_named(refusal, tmp_path):
    torch.save({"teacher": TENSORS}, tmp_path / "a.pt")
    with refusal("its teacher is no tensor, and none of network, state_dict, model, net holds one"):
        checkpoint_file.read_state_dict(str(tmp_path / "a.pt"), "get one.")


def test_a_missing_file_is_named_with_the_remedy(refusal, tmp_path):
    with refusal(r"none\.pt do not exist; get one\."):
        checkpoint_file.read_state_dict(str(tmp_path / "none.pt"), "get one.")


def test_a_file_without_the_right_to_read_is_not_called_damaged(refusal, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checkpoint_file, "open", refuse, raising=False)
    path = saved(tmp_path / "a.pt", {"a": torch.ones(1)})
    with refusal(r"a\.pt cannot be read \(Permission denied\); mend that\."):
        checkpoint_file.read_state_dict(path, "get one.")


def test_too_little_memory_is_not_called_damage(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    path = saved(tmp_path / "a.pt", {"a": torch.ones(1)})
    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(MemoryError):
        checkpoint_file.read_state_dict(path, "get one.")


def test_a_folder_is_no_file_of_weights(refusal, tmp_path):
    with refusal("is a folder, not a file of weights; get one"):
        checkpoint_file.read_state_dict(str(tmp_path), "get one.")


@pytest.mark.parametrize("container", [None, "network"])
@pytest.mark.parametrize("number", ["nan", "inf"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_that_are_not_finite_are_refused_by_name(
    refusal, tmp_path, container, number, dtype
):
    tensors = {**TENSORS, "n": torch.ones(2, dtype=int), "b": torch.ones(3, 3, dtype=dtype)}
    tensors["b"][1, 2] = float(number)
    torch.save({container: tensors} if container else tensors, tmp_path / "a.pt")
    with refusal(r"a\.pt.* is of a training that failed: its b holds NaN or infinity; get one"):
        checkpoint_file.read_state_dict(str(tmp_path / "a.pt"), "get one.")
