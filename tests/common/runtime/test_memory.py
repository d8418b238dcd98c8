"""Memory that is freed is kept, and the peak is told."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import ROOT

from common.runtime import memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_memory_is_not_mapped_anew():
    """Page faults of ten large blocks, in processes of their own."""
    script = """
import os, resource, torch
from common.runtime import keep_freed_memory
for setting in ("keep", "default"):
    if os.fork():
        os.wait()
        continue
    if setting == "keep":
        assert keep_freed_memory()
    for _ in range(20):  # until the heap has grown
        torch.ones(2**24)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(2**24)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, flush=True)
    os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"OMP_NUM_THREADS": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    keep, default = map(int, done.stdout.split())
    assert keep < default / 10


@pytest.mark.parametrize("device", ["cpu"])
def test_peak_memory_is_in_bytes(device):
    before = memory.peak_memory(device)
    block = torch.ones(2**27)  # 512 MiB
    assert 2**28 < memory.peak_memory(device) < 2**37
    assert memory.peak_memory(device) >= before
    del block
    status = Path("/proc/self/status")
    if status.is_file():  # Linux tells the same in units of 1024 bytes
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
        assert memory.peak_memory(device) == pytest.approx(int(peak) * 1024, rel=0.01)
