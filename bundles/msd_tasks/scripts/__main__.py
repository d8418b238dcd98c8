"""Runs this bundle's commands in its folder: `python -m scripts weights inspect FILE`."""

from .common.cli.main import main

GROUPS = {
    "weights": "scripts.common.weights.commands",
    "evaluation": "scripts.common.evaluation.commands",
    "submission": "scripts.submission.commands",
    "datalist": "scripts.datalist.commands",
}

if __name__ == "__main__":
    main(GROUPS)
