# generated from tools/repo/moved_command.py, do not edit: `make copies`
"""Answers a command line of old, `python scripts/weights.py …`, with the one in its place."""

import shlex
import sys
from pathlib import Path

if __name__ == "__main__":
    file = Path(__file__).resolve()
    command = shlex.join(["python", "-m", "scripts", file.stem, *sys.argv[1:]])
    raise SystemExit(f"error: scripts/{file.name} is no more; in {file.parents[1]} run: {command}")
