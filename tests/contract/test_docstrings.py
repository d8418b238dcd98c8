"""Every docstring begins with a verb in the third person, such as "Reads a DICOM series"."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import ROOT

from tools.repo.copies import HEADER

VERB = re.compile(r"(?P<word>[A-Z][a-z]+s)\b")
# Nouns, and other words, that the pattern would take for verbs.
NOUNS = set(
    "Always Arguments Axes Batches Boxes Bytes Channels Class Classes Commands Configs Constants "
    "Does Ellipsoids Errors Facts Factors Files Functions Gains Handlers Has Helpers Images "
    "Indices Inputs Intensities Iterations Its Keys Labels Layers Lesions Lines Loss Losses "
    "Metrics Networks Numbers Objects Operations Options Organs Outputs Parameters Parts Paths "
    "Phantoms Pictures Process Processes Progress Results Rows Series Settings Sizes Slices "
    "Statistics Steps Tables Tasks Tensors This Thresholds Tissues Tokens Tools Transforms "
    "Tumours Values Vectors Versions Volumes Voxels Windows".split()
)
# Verbs that are nouns before these words: "Names the file", but "Names of the organs".
NOUN_OR_VERB = re.compile(
    r"(Answers|Counts|Crops|Draws|Figures|Groups|Means|Names|Notes|Pairs|Samples|Scores|Times|Turns"
    r"|Views) (as|in|of|that)\b|Means and\b"
)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
GENERATED = HEADER.partition("{")[0]


def begins_with_verb(docstring: str) -> bool:
    match = VERB.match(docstring)
    if match is None or match["word"] in NOUNS:
        return False
    return not NOUN_OR_VERB.match(docstring)


def faults(source: str, is_shared: bool) -> Iterator[str]:
    """Yields a line for each docstring without a verb, and for each missing one.

    Every module has one, and in shared code every public function and class of a module.
    """
    module = ast.parse(source)
    for node in ast.walk(module):
        if isinstance(node, (ast.Module, *DEFINITIONS)):
            name, docstring = getattr(node, "name", "the module"), ast.get_docstring(node)
            is_public = is_shared and node in module.body and not name.startswith("_")
            if docstring is None and (node is module or is_public):
                yield f"{name} has no docstring"
            elif docstring is not None and not begins_with_verb(docstring):
                first_line = docstring.partition("\n")[0]
                yield f"{name}: {first_line}"


def originals() -> list[Path]:
    folders = [ROOT / "common", ROOT / "tools", *ROOT.glob("bundles/*/scripts")]
    paths = sorted(path for folder in folders for path in folder.rglob("*.py"))
    return [path for path in paths if not path.read_text().startswith(GENERATED)]


@pytest.mark.parametrize("folder", ["common", "tools", "bundles"])
def test_docstrings_begin_with_a_verb_in_the_third_person(folder):
    paths = [path for path in originals() if path.is_relative_to(ROOT / folder)]
    assert len(paths) > 10
    found = [
        f"{path.relative_to(ROOT)}: {fault}"
        for path in paths
        for fault in faults(path.read_text(), folder == "common")
    ]
    assert not found, "begin with a verb and the field's noun:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "docstring",
    [
        "A DICOM series.",
        "Read a DICOM series.",
        "reads a DICOM series.",
        "What an order says.",
        "Which voxels lie in boxes.",
        "Numbers of classes.",
        "Names of the organs.",
        "Values, one a line.",
        "Means and spreads.",
        "Crops as a loader gives them.",
        "(B, C) logits.",
        "`prepare_batch` of the engines.",
        "MONAI's loader.",
    ],
)
def test_docstring_without_a_verb_is_a_fault(docstring):
    source = f'"""Reads images."""\n\n\ndef first(x):\n    """{docstring}"""\n'
    assert list(faults(source, is_shared=False)) == [f"first: {docstring}"]


def test_private_functions_and_methods_are_read_too():
    source = (
        '"""Reads images."""\nclass A:\n    """Holds."""\n    def _b(self):\n        "Its sum."\n'
    )
    assert list(faults(source, is_shared=False)) == ["_b: Its sum."]


def test_missing_docstrings_are_faults():
    source = "def read(x): ...\ndef _sum(x): ...\n"
    assert set(faults(source, is_shared=False)) == {"the module has no docstring"}
    assert set(faults(source, is_shared=True)) == {
        "the module has no docstring",
        "read has no docstring",
    }
