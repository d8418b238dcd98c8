"""Starts the application: python tools/deploy_app -i DICOM_FOLDER -o OUTPUT -m MODEL."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

    from common.errors import show_sentence
    from tools.deploy_app.check_input import check_output, read_arguments, read_one_series
    from tools.deploy_app.check_model import read_metadata
    from tools.deploy_app.staged_output import staged

    sys.excepthook = show_sentence
    folder, output, model = read_arguments(sys.argv[1:])
    metadata = read_metadata(model)
    check_output(output)
    series = read_one_series(folder)

    from tools.deploy_app.app import SegmentationApp  # after the checks: it loads the SDK

    with staged(output) as temporary:
        SegmentationApp(series, metadata, temporary).run()
