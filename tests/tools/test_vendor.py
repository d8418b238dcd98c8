"""Shared scripts: copies that differ are found and rewritten."""

from pathlib import Path

import pytest
from helpers import ROOT

from tools import vendor

ORIGINAL = "bundles/a/scripts/shared.py"
TEXT = f"# Shared: the original is {ORIGINAL} (see tools/vendor.py).\nanswer = 42\n"


@pytest.fixture
def tree(tmp_path) -> Path:
    """Bundle `a` owns a script that `b` copies; each has one of its own."""
    for name in "ab":
        write(tmp_path, f"bundles/{name}/scripts/shared.py", TEXT)
        write(tmp_path, f"bundles/{name}/scripts/own.py", f"name = '{name}'\n")
    return tmp_path


def write(root: Path, path: str, text: str) -> Path:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    return root / path


def contents(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_text() for path in files}


def test_this_repository_is_in_step():
    vendor.check(str(ROOT))
    assert len(vendor.shared_scripts(ROOT)) >= 10


def test_equal_copies_pass(tree):
    vendor.check(str(tree))
    shared = {str(path.relative_to(tree)) for path in vendor.shared_scripts(tree)}
    assert shared == {ORIGINAL, "bundles/b/scripts/shared.py"}


def test_differing_copy_is_named(tree):
    write(tree, "bundles/b/scripts/shared.py", TEXT + "more = 1\n")
    with pytest.raises(SystemExit, match=r"^differ .*: bundles/b/scripts/shared\.py; run .* write"):
        vendor.check(str(tree))


def test_writing_restores_the_copies_alone(tree):
    before = contents(tree)
    write(tree, "bundles/b/scripts/shared.py", TEXT + "more = 1\n")
    vendor.write(str(tree))
    assert contents(tree) == before


def test_changed_original_is_carried_over(tree):
    write(tree, ORIGINAL, TEXT + "more = 1\n")
    vendor.write(str(tree))
    assert (tree / "bundles/b/scripts/shared.py").read_text() == TEXT + "more = 1\n"
    vendor.check(str(tree))


def test_scripts_in_sub_folders_are_shared_too(tree):
    copy = write(tree, "bundles/b/scripts/deeper/shared.py", TEXT + "more = 1\n")
    vendor.write(str(tree))
    assert copy.read_text() == TEXT


@pytest.mark.parametrize("original", ["bundles/a/scripts/none.py", "bundles/a/scripts/own.py"])
def test_header_that_names_no_original_is_refused(tree, original):
    path = write(tree, "bundles/b/scripts/shared.py", TEXT.replace(ORIGINAL, original))
    with pytest.raises(SystemExit, match=rf"^{path} names {tree / original}, which is no original"):
        vendor.check(str(tree))


def test_header_that_names_another_copy_is_refused(tree):
    text = TEXT.replace(ORIGINAL, "bundles/b/scripts/shared.py")
    path = write(tree, "bundles/c/scripts/shared.py", text)
    with pytest.raises(SystemExit, match=f"^{path} names {tree}/bundles/b/scripts/shared.py"):
        vendor.check(str(tree))
