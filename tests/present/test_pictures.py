"""The pictures of the documentation are those that a script draws."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("**/*.md"))


def test_every_picture_of_the_documentation_is_drawn_by_the_script() -> None:
    """`examples/pictures.py`, run in `docs/images`, makes all of them, and a page shows each that it makes."""
    script = (ROOT / "examples" / "pictures.py").read_text(encoding="utf-8")
    drawn = set(re.findall(r'^    "(\w+)": ', script, flags=re.MULTILINE))
    shown = {name for page in PAGES for name in re.findall(r"images/(\w+)\.png", page.read_text(encoding="utf-8"))}
    there = {file.stem for file in (ROOT / "docs" / "images").iterdir()}
    assert drawn == shown == there


def test_pictures_are_small() -> None:
    """All of them together are no more than a photograph."""
    assert sum(file.stat().st_size for file in (ROOT / "docs" / "images").iterdir()) < 1_500_000


def test_every_kind_of_picture_has_its_place_in_the_documentation() -> None:
    """The page of pictures names all kinds there are."""
    from lmmformula.present.pictures.table import OF_COMPARISON, OF_FIT, OF_POSTERIOR

    page = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")
    assert [
        kind for table in (OF_FIT, OF_POSTERIOR, OF_COMPARISON) for kind in table if f'`"{kind}"`' not in page
    ] == []
