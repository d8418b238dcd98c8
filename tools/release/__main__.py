"""Starts the tool, see tools/__init__.py."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

    from common.cli.commands import run
    from tools.release.commands import COMMANDS

    run(COMMANDS, "python tools/release")
