"""Tells on small trainings how the two patch mergings differ; docs/merging.md has the results.

python tools/merging train OUT --corpus CORPUS --btcv BTCV --brain TASK01
python tools/merging score OUT
python tools/merging compare OUT IMAGE
"""

from .compare import compare
from .score import score
from .trainings import train

COMMANDS = {"train": train, "score": score, "compare": compare}
