"""A corpus for pre-training: which public CTs to get, and files that training reads fast.

python scripts/corpus.py select paper.s5cmd --preset paper
"""

import sys
from pathlib import Path

# Python puts scripts/ first on the path; the package `scripts` lies one folder up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.curation import commands
from scripts.curation.idc import select

COMMANDS = {"select": select}

if __name__ == "__main__":
    commands.run(COMMANDS)
