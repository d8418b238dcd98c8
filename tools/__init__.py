"""Holds the repository's own tools: one package each, run as `python tools/<tool> COMMAND …`.

How every tool is built: `commands.py` holds typed functions and lists them in `COMMANDS`;
`__main__.py` puts the repository's root on the path, in place of the tool's folder, and runs them.
So there is one way to import: modules of the same tool by `from .module import …`, everything else
by `from tools.tool.module import …` or `from common.…`. A process that a tool starts for itself is
`python -m tools.<tool>.<module>`; for its sake, `__init__.py` imports nothing that is slow.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
