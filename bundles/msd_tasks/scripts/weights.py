# Shared: the original is bundles/btcv_segmentation/scripts/weights.py (see tools/vendor.py).
"""Weights that you may bring: what a file holds, and how it becomes one of SwinUNETR's own layout.

python scripts/weights.py inspect pretrained/model_swinvit.pt
python scripts/weights.py convert pretrained/model_swinvit.pt encoder.pt
python scripts/weights.py download model_swinvit.pt
"""

import sys
from pathlib import Path

# Python puts scripts/ first on the path; the package `scripts` lies one folder up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts import commands
from scripts.downloads import download
from scripts.inspection import convert, inspect

COMMANDS = {"inspect": inspect, "convert": convert, "download": download}

if __name__ == "__main__":
    commands.run(COMMANDS)
