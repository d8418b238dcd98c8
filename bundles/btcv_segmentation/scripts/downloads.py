# Shared: the original is bundles/btcv_segmentation/scripts/downloads.py (see tools/vendor.py).
"""One of the public files that `large_files.yml` lists."""

from pathlib import Path
from urllib.error import URLError

from monai.apps import download_url
from monai.apps.utils import HashCheckError
from monai.bundle import ConfigParser

from .command_line import InputError

BUNDLE = Path(__file__).resolve().parents[1]


def download(name: str) -> str:
    """Fetch one file of `large_files.yml` into `pretrained/`, its hash checked where it is known.

    `python -m monai.bundle download_large_files` fetches all of them.

    Args:
        name: of the file, `model_swinvit.pt` for instance.

    Raises:
        InputError: no such file is listed, it cannot be fetched, or its hash is another.
    """
    entries = ConfigParser.load_config_file(BUNDLE / "large_files.yml")["large_files"]
    listed = {Path(entry["path"]).name: entry for entry in entries}
    if name not in listed:
        raise InputError(f"large_files.yml lists no {name}; it has {', '.join(listed)}.")
    entry = dict(listed[name])
    path = BUNDLE / entry.pop("path")
    try:
        download_url(filepath=path, **entry)
    except HashCheckError as error:
        raise InputError(
            f"{name}: its hash is not the expected one; remove {path} if it is there, "
            "and fetch it again."
        ) from error
    except (URLError, OSError, RuntimeError) as error:
        raise InputError(f"{entry['url']} cannot be fetched ({error}); try again later.") from error
    return f"{path}"
