"""Keeps the repository in order.

python tools/repo check_json bundles
python tools/repo format_json bundles
"""

from . import format_json

COMMANDS = {"check_json": format_json.check, "format_json": format_json.write}
