"""Builds a release of the bundles, and verifies bundles.

python tools/release build dist
python tools/release verify dist/*.zip
"""

from .build import build
from .verify import verify

COMMANDS = {"build": build, "verify": verify}
