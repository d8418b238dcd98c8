"""Draws the results of trainings.

python tools/report page report.html --runs bundles/NAME/runs/RUN --evaluation evaluation.csv
python tools/report compare_runs curves.png --runs RUN,RUN --figures train/loss
"""

from .compare_runs import compare_runs
from .page import page

COMMANDS = {"page": page, "compare_runs": compare_runs}
