"""Temporary files that killed processes have left."""

import os
import subprocess
import sys
import time
from pathlib import Path

from helpers import ROOT

from common import atomic_write, leftovers


def test_leftovers_of_killed_processes_alone_are_removed(tmp_path, caplog):
    ended = subprocess.Popen(["true"])
    ended.wait()
    here, old = leftovers._host(), time.time() - 7200
    gone = [f".half_written_{here}_{ended.pid}_a.pt", f".half_written_{here}_{os.getpid()}_a.pt"]
    gone += [
        f".half_written_{here}_{os.getpid()}_0123abcd_a.pt",
        ".half_written_else_where_9_b_1.pt",
    ]
    kept = [f".half_written_{here}_{os.getppid()}_a.pt", ".half_written_elsewhere_7_a.pt"]
    kept += [leftovers.temporary_path(Path("a.pt")).name]  # being written by another thread
    kept += [".half_written", ".host_12_a.pt", "half_written_x_1_a.pt", ".half_written_notes.txt"]
    (tmp_path / "sub").mkdir()
    for name in gone + kept:
        (tmp_path / "sub" / name).touch()
    for name in (gone[-1], *kept[3:]):
        os.utime(tmp_path / "sub" / name, (old, old))
    atomic_write.check_writable(folders=[tmp_path])
    assert {path.name for path in (tmp_path / "sub").iterdir()} == {*kept}
    assert caplog.text.count("half written by a process that was killed") == len(gone)


def test_two_processes_of_one_host_name_and_number_write_under_other_names():
    """As in two containers that share the host's name, and each has its process 1."""
    code = (
        "import os, socket; from pathlib import Path; from common import leftovers; "
        "os.getpid = lambda: 1; socket.gethostname = lambda: 'node'; "
        "print(leftovers.temporary_path(Path('model.pt')))"
    )
    command = [sys.executable, "-c", code]
    names = {subprocess.check_output(command, cwd=ROOT, text=True).strip() for _ in range(2)}
    assert len(names) == 2
    matches = [leftovers.TEMPORARY.fullmatch(name) for name in names]
    assert {match["name"] for match in matches} == {"model.pt"}


def test_what_another_container_writes_is_kept(tmp_path, monkeypatch):
    """Of the same host name, with this process's number or one that runs nowhere here."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    stat = os.stat
    with monkeypatch.context() as other:
        other.setattr(
            os,
            "stat",
            lambda *a, **k: stat("/proc/self/ns/uts") if "ns/pid" in str(a) else stat(*a, **k),
        )
        host = leftovers._host()
    kept = {f".half_written_{host}_{pid}_0123abcd_a.pt" for pid in (os.getpid(), ended.pid)}
    for name in kept:
        (tmp_path / name).touch()
    atomic_write.check_writable(files=[tmp_path / "a.pt"], folders=[tmp_path])
    assert {path.name for path in tmp_path.iterdir()} == kept
