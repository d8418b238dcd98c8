"""Finds the packages that a bundle's scripts import, for the metadata to name."""

import ast
import sys
from pathlib import Path

# Modules whose package has another name, and those that the metadata name under keys of their own.
PACKAGES = {
    "ignite": "pytorch-ignite",
    "yaml": "PyYAML",
    "gdcm": "python-gdcm",
    "idc_index_data": "idc-index",
}
OWN_KEYS = {"monai", "torch", "numpy"}
# Of the corpus of pretrain_ssl alone, with idc-index, which needs pandas itself.
OPTIONAL_IN = {"scripts/corpus": {"pandas"}}


def missing_packages(bundle: Path, metadata: dict) -> list[str]:
    """Lists imported packages that the metadata does not name.

    `required_packages_version` names what each run needs, `optional_packages` what an option asks
    for: the bundle's pages say which, and a run without it says what to install. MONAI warns of
    the latter's older name, with `_version`, and takes its packages for required.
    tests/contract/test_format.py imports what serving needs without them, and `make test-release`
    runs the bundles in an environment that has the required ones alone.

    Args:
        bundle: its folder.
        metadata: parsed `metadata.json`.

    Returns:
        A sentence for each module, with a file that imports it.
    """
    optional = set(metadata.get("optional_packages", {}))
    named = set(metadata["required_packages_version"]) | optional
    faults = {}
    for path in sorted((bundle / "scripts").rglob("*.py")):
        name = path.relative_to(bundle).as_posix()
        own = set().union(
            *(some for folder, some in OPTIONAL_IN.items() if name.startswith(f"{folder}/"))
        )
        for module in imported_modules(path.read_text()) - own - OWN_KEYS:
            package = PACKAGES.get(module, module)
            if package not in named and package != "scripts":
                faults.setdefault(
                    package, f"{name} imports {package}, which the metadata does not name"
                )
    if (bundle / "large_files.yml").is_file() and PACKAGES["yaml"] not in named:
        faults["yaml"] = "large_files.yml is read by PyYAML, which the metadata does not name"
    return list(faults.values())


def imported_modules(source: str) -> set[str]:
    """Returns the top names of what a module imports, anywhere in it, without Python's own."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names
