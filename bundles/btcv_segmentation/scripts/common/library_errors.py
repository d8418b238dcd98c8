# generated from common/library_errors.py, do not edit: `make copies`
"""Explains errors of PyTorch and MONAI that a user can mend, each in one sentence."""

import re

OTHER_PROCESS = "another process of this run has ended; its own lines say why."
EXPLAINED = (
    (re.compile(r"Connection (closed|reset) by peer|ncclRemoteError"), OTHER_PROCESS),
    (
        re.compile(r"DataLoader worker \(pid.*\) (is killed by signal|exited unexpectedly)"),
        "a process that loads images was killed, mostly because memory ran out; give fewer "
        "--num_workers, keep fewer images in memory (--cache_gb or --cache_rate), and give a "
        "container more shared memory (--shm-size), then the same command goes on.",
    ),
    (
        re.compile(r"OutOfMemoryError: CUDA|CUDA out of memory"),
        "the GPU has not enough memory; give a smaller --batch_size, --sw_batch_size or "
        "--patch_size, or end what else runs on it.",
    ),
    (
        re.compile(r"^MemoryError|DefaultCPUAllocator: can't allocate memory"),
        "this machine has not enough memory; give a smaller --batch_size, --sw_batch_size or "
        "--patch_size, or end what else runs on it.",
    ),
    (
        re.compile(r"Expected more than 1 spatial element when training"),
        "--patch_size leaves one voxel at the network's coarsest level, which cannot be "
        "normalized; give a --patch_size with a side of 64 or more.",
    ),
    (
        re.compile(r"device type at start of device string|Invalid device string"),
        "--device names no device of PyTorch; give cpu, cuda, or one of several such as cuda:1.",
    ),
    (
        re.compile(r"No CUDA GPUs are available|not compiled with CUDA|Found no NVIDIA driver"),
        "PyTorch finds no CUDA device here; leave out --device, or give --device cpu.",
    ),
)
# MONAI's error of a component of a config, and Python's, which is its cause
COMPONENT = re.compile(r"^Failed to instantiate component '(\S+)' with keywords: (\S*)")
UNEXPECTED = re.compile(r"got an unexpected keyword argument '(\w+)'")


def explain(error: BaseException | None) -> str | None:
    """Explains the first error in an exception's chain that is known here; None for any other."""
    while error is not None:
        for pattern, sentence in EXPLAINED:
            if pattern.search(f"{type(error).__name__}: {error}"):
                return sentence
        sentence = _explain_argument(error)
        if sentence:
            return sentence
        error = error.__cause__ or error.__context__
    return None


def _explain_argument(error: BaseException) -> str | None:
    """Explains an argument, such as a misspelt one, that a component of a config does not take."""
    component, unexpected = COMPONENT.search(str(error)), UNEXPECTED.search(str(error.__cause__))
    if not component or not unexpected or unexpected[1] not in component[2].split(","):
        return None
    return (
        f"{component[1]} takes no argument {unexpected[1]}; mend the key of that name in a config "
        "file or a flag."
    )
