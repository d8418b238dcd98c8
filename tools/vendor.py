"""Scripts that several bundles share: one original, copies equal to it byte for byte.

    python tools/vendor.py check     names the copies that differ, exits 1
    python tools/vendor.py write     rewrites them from their originals

The first line of a shared script, in the original too, names the original. A bundle gets a copy by
copying the file once; from then on this tool keeps it.
"""

import re
import sys
from pathlib import Path

import fire

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.repo.atomic_write import replacing  # noqa: E402

HEADER = re.compile(rb"# Shared: the original is (\S+) \(see tools/vendor\.py\)\.\n")


def shared_scripts(root: Path) -> dict[Path, Path]:
    """Every shared script below `root/bundles`, originals included, and its original.

    Raises:
        SystemExit: a header names an original that does not exist or names another one.
    """
    found = {}
    for path in sorted(root.glob("bundles/*/scripts/**/*.py")):
        header = HEADER.match(path.read_bytes())
        if header:
            original = root / header[1].decode()
            own = HEADER.match(original.read_bytes()) if original.is_file() else None
            if own is None or own[1] != header[1]:
                raise SystemExit(f"{path} names {original}, which is no original; mend line 1.")
            found[path] = original
    return found


def differing(root: Path) -> dict[Path, Path]:
    """Copies that differ from their original, each with that original."""
    pairs = shared_scripts(root).items()
    return {
        copy: original for copy, original in pairs if copy.read_bytes() != original.read_bytes()
    }


def check(root: str = str(ROOT)) -> None:
    """Exit with 1 and the names of the copies that differ."""
    found = differing(Path(root))
    if found:
        names = ", ".join(str(copy.relative_to(root)) for copy in found)
        raise SystemExit(
            f"differ from their originals: {names}; run `python tools/vendor.py write`."
        )


def write(root: str = str(ROOT)) -> None:
    """Rewrite the copies that differ."""
    for copy, original in differing(Path(root)).items():
        with replacing(copy) as temporary:
            temporary.write_bytes(original.read_bytes())
        print(f"{copy} from {original}")


if __name__ == "__main__":
    fire.Fire({"check": check, "write": write})
