"""A corpus for pre-training, of any archive of CTs.

    python scripts/corpus.py prepare SOURCE DESTINATION

Needs the packages of the extra `corpus`: pydicom, python-gdcm, distributed, idc-index, matplotlib.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # `scripts` is a package of the bundle

import fire

from scripts.curation.prepare import prepare

if __name__ == "__main__":
    fire.Fire({"prepare": prepare})
