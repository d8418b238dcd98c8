"""docs/architecture.md and its picture show the code as it is; the other pages lead somewhere."""

import ast
import re
from pathlib import Path

import pytest
from helpers import BUNDLES, ROOT
from PIL import Image

from common.errors import InputError
from tools.repo import architecture

PAGE = ROOT / architecture.PAGE
STALE = f"run `{architecture.COMMAND}`"
PAGES = [PAGE, ROOT / "README.md", ROOT / "docs/README.md", ROOT / "CONTRIBUTING.md"]
ENDINGS = (".json", ".md", ".pt", ".py")
WAYS = ("An image", "A crop", "Weights", "Where to add")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.*)$", PAGE.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def in_backticks(*titles: str) -> list[str]:
    texts = [text for title, text in sections().items() if title.startswith(titles)]
    assert len(texts) == len(titles)
    return [name for text in texts for name in re.findall(r"`([^`]+)`", text)]


def is_dotted_name(text: str) -> bool:
    return re.fullmatch(r"\w+(\.\w+)+", text) is not None and not text.endswith(ENDINGS)


def names_of(file: Path) -> set[str]:
    """What a module defines or imports at its top."""
    names = set()
    for node in ast.parse(file.read_text()).body:
        names |= {node.name} if hasattr(node, "name") else set()
        names |= {alias.asname or alias.name for alias in getattr(node, "names", [])}
        targets = [*getattr(node, "targets", []), getattr(node, "target", None)]
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def exists(dotted: str) -> bool:
    """Whether `package.module.Name` is there, below common/, one of its packages or a bundle."""
    *path, name = dotted.split(".")
    tops = [ROOT / "common", *(ROOT / "common").iterdir(), *BUNDLES.glob("*/scripts")]
    places = [top.joinpath(*path) for top in tops]
    files = [file for place in places for file in (place / "__init__.py", place.with_suffix(".py"))]
    return any(name in names_of(file) for file in files if file.is_file())


@pytest.fixture(scope="module")
def rooms() -> list[architecture.Room]:
    return architecture.find_rooms()


def test_the_page_lists_the_rooms_and_imports_of_the_code(rooms):
    text = PAGE.read_text()
    assert architecture.BEGIN in text and architecture.END in text
    assert text == architecture.with_table(text, rooms), STALE


def test_the_picture_was_drawn_from_the_imports_of_the_code(rooms):
    with Image.open(ROOT / architecture.PICTURE) as picture:
        assert picture.text["Description"] == architecture.edges(rooms), STALE
        assert picture.width == 1200


def test_each_arrow_points_down(rooms):
    """So there is no circle of packages."""
    shared = {room.name: room for room in rooms if room.place == "common"}
    assert set(shared) == set(architecture.PLACES)
    for room in shared.values():
        for name in room.imports:
            assert architecture.PLACES[name][1] < architecture.PLACES[room.name][1], room


def test_imports_are_read_from_the_source(tmp_path):
    write(tmp_path / "common/__init__.py", "")
    write(tmp_path / "common/errors.py", '"""Errors."""\n')
    write(tmp_path / "common/low/__init__.py", '"""Is low.\n\nMore.\n"""\nfrom .part import A\n')
    write(tmp_path / "common/low/part.py", "from ..errors import B\nfrom . import other\n")
    write(tmp_path / "common/high/__init__.py", '"""Is high."""\n')
    write(tmp_path / "common/high/deep/part.py", "def run():\n    from ...low.part import A\n")
    scripts = tmp_path / "bundles/pretrain_ssl/scripts"
    write(scripts / "common/low/__init__.py", '"""A copy."""\n')
    write(scripts / "__main__.py", "")
    write(scripts / "moved.py", "# generated from tools/repo/moved_command.py\n")
    write(scripts / "own.py", '"""Is own."""\nfrom .common.high import B\nfrom . import more\n')
    write(scripts / "more/__init__.py", '"""Is more."""\nimport torch\nfrom ..common import low\n')
    assert architecture.find_rooms(tmp_path) == [
        architecture.Room("common", "high", "Is high.", ("low",)),
        architecture.Room("common", "low", "Is low.", ()),
        architecture.Room("pretrain_ssl", "more", "Is more.", ("low",)),
        architecture.Room("pretrain_ssl", "own", "Is own.", ("high", "more")),
    ]


def test_the_command_writes_the_same_picture_each_time(rooms, tmp_path):
    paths = [tmp_path / "1.png", tmp_path / "2.png"]
    for path in paths:
        architecture.save_picture(rooms, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_package_without_a_place_in_the_picture_is_named(tmp_path):
    write(tmp_path / "common/novel/__init__.py", '"""Is new."""\n')
    with pytest.raises(InputError, match="novel has no place .* PLACES"):
        architecture.architecture(tmp_path)


def test_the_page_is_one_screen():
    assert len(PAGE.read_text().splitlines()) <= 60


def test_every_name_on_the_page_exists():
    names = [name for name in in_backticks(*WAYS) if is_dotted_name(name)]
    assert len(names) >= 25
    assert [name for name in names if not exists(name)] == []
    assert not exists("weights.no_such_name") and not exists("no_such_module.load")


def test_every_file_on_the_pages_exists():
    text = PAGE.read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    names = re.findall(r"`([\w./<>]+)`", text) + re.findall(r"pytest (tests/\S+)", text)
    files = [re.sub("<.*?>", "*", name) for name in names if "/" in name]
    files = [file for file in files if "scripts/common" not in file]  # of each bundle
    assert len(files) >= 10
    assert [file for file in files if not list(ROOT.glob(file))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page):
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", page.read_text())]
    files = [link for link in links if link and not link.startswith("http")]
    assert files and [file for file in files if not (page.parent / file).is_file()] == []


def test_the_list_of_pages_has_all_of_them():
    page = ROOT / "docs/README.md"
    linked = {
        (page.parent / link).resolve() for link in re.findall(r"\]\((.*?)\)", page.read_text())
    }
    pages = {*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *BUNDLES.glob("*/docs/*.md")} - {page}
    assert {str(path) for path in pages} == {str(path) for path in linked}
