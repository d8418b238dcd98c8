"""Temporary files that killed processes have left."""

import os
import socket
import subprocess
import time

from common import atomic_write


def test_leftovers_of_killed_processes_alone_are_removed(tmp_path, caplog):
    ended = subprocess.Popen(["true"])
    ended.wait()
    here, old = socket.gethostname(), time.time() - 7200
    gone = [f".half_written_{here}_{ended.pid}_a.pt", f".half_written_{here}_{os.getpid()}_a.pt"]
    gone += [".half_written_else_where_9_b_1.pt"]
    kept = [f".half_written_{here}_{os.getppid()}_a.pt", ".half_written_elsewhere_7_a.pt"]
    kept += [".half_written", ".host_12_a.pt", "half_written_x_1_a.pt", ".half_written_notes.txt"]
    (tmp_path / "sub").mkdir()
    for name in gone + kept:
        (tmp_path / "sub" / name).touch()
    for name in (gone[-1], *kept[2:]):
        os.utime(tmp_path / "sub" / name, (old, old))
    atomic_write.check_writable(folders=[tmp_path])
    assert {path.name for path in (tmp_path / "sub").iterdir()} == {*kept}
    assert caplog.text.count("half written by a process that was killed") == len(gone)
