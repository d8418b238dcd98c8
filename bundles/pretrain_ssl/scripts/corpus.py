"""A corpus for pre-training: which public CTs to get, and files that training reads fast.

python scripts/corpus.py select paper.s5cmd --preset paper
python scripts/corpus.py prepare dicom corpus

Needs the packages of the extra `corpus`: pydicom, python-gdcm, dask, distributed, idc-index and
matplotlib.
"""

import sys
from pathlib import Path

# Python puts scripts/ first on the path; the package `scripts` lies one folder up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

try:
    from scripts import commands
    from scripts.curation.prepare import prepare
    from scripts.idc.select import select
except ModuleNotFoundError as error:
    packages = "pydicom python-gdcm dask distributed idc-index matplotlib"
    raise SystemExit(f"error: {error.name} is not installed; pip install {packages}") from None

COMMANDS = {"select": select, "prepare": prepare}

if __name__ == "__main__":
    commands.run(COMMANDS)
