"""Finds the packages that a bundle's scripts import, for `required_packages_version`."""

import ast
import sys
from pathlib import Path

# Modules whose package has another name, and those that the metadata name under keys of their own.
PACKAGES = {"ignite": "pytorch-ignite"}
OWN_KEYS = {"monai", "torch", "numpy"}
# Imported where an option asks for them; the bundle's pages say which, and a run without them says
# what to install. tests/contract/test_format.py imports what serving needs without them.
OPTIONAL = {
    *("pydicom", "gdcm", "SimpleITK", "matplotlib", "onnx", "onnxruntime"),
    *("dask", "distributed", "idc_index_data"),
}
# Of the corpus of pretrain_ssl alone, with idc_index_data, which needs pandas itself.
OPTIONAL_IN = {"scripts/corpus": {"pandas"}}


def missing_packages(bundle: Path, metadata: dict) -> list[str]:
    """Lists imported packages that `required_packages_version` does not name.

    Args:
        bundle: its folder.
        metadata: parsed `metadata.json`.

    Returns:
        A sentence for each module, with a file that imports it.
    """
    named = set(metadata["required_packages_version"])
    faults = {}
    for path in sorted((bundle / "scripts").rglob("*.py")):
        name = path.relative_to(bundle).as_posix()
        optional = OPTIONAL.union(
            *(some for folder, some in OPTIONAL_IN.items() if name.startswith(f"{folder}/"))
        )
        for module in imported_modules(path.read_text()) - optional - OWN_KEYS:
            package = PACKAGES.get(module, module)
            if package not in named and package != "scripts":
                faults.setdefault(package, f"{name} imports {package}, which is not required")
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
