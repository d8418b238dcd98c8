"""Keeps the repository in order.

python tools/repo write_copies
python tools/repo check_copies
python tools/repo format_json bundles
python tools/repo check_json bundles
python tools/repo architecture
python tools/repo task_bundle Task07_Pancreas dist
"""

from . import architecture, copies, format_json, task_bundle

COMMANDS = {
    "write_copies": copies.write,
    "check_copies": copies.check,
    "format_json": format_json.write,
    "check_json": format_json.check,
    "architecture": architecture.architecture,
    "task_bundle": task_bundle.task_bundle,
}
