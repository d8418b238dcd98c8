"""Starts the application: python tools/deploy_app -i DICOM_FOLDER -o OUTPUT -m MODEL."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

    from tools.deploy_app.app import SegmentationApp

    SegmentationApp().run()
