"""Runs this bundle's commands in its folder: `python -m scripts corpus prepare ARCHIVE CORPUS`."""

from .common.cli.main import main

GROUPS = {
    "weights": "scripts.common.weights.commands",
    "corpus": "scripts.corpus.commands",
    "probe": "scripts.embeddings.probe.commands",
}

if __name__ == "__main__":
    main(GROUPS)
