"""The gallery shows what the examples draw, and pages name files that are there."""

import re
from pathlib import Path

import pytest

from tests.places import EXAMPLES, PROJECT

PAGES = [*sorted(PROJECT.glob("*.md")), *sorted((PROJECT / "docs").rglob("*.md"))]
GALLERY = PROJECT / "docs" / "gallery.md"
DRAWING = [
    path
    for path in sorted(EXAMPLES.glob("*.py"))
    if re.search(r"^ +leave_picture\(", path.read_text(), re.M)
]
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")


def test_examples_draw() -> None:
    assert {"bursts", "hall_map", "schemes_on_digits"} <= {path.stem for path in DRAWING}


@pytest.mark.parametrize("example", DRAWING, ids=lambda path: path.stem)
def test_what_an_example_draws_is_shown(example: Path) -> None:
    """Between the line that says how it is run, and the next such line."""
    shown = re.split(r"`python (?:-m )?(\S+?)[` ]", GALLERY.read_text())
    said = dict(zip(shown[1::2], shown[2::2], strict=True))
    images = IMAGE.findall(said[f"examples/{example.name}"])
    assert images
    for words, place in images:
        assert len(words) > 20
        assert (GALLERY.parent / place).is_file()


def test_every_example_is_in_the_table() -> None:
    listed = re.findall(r"^\| \[`(\w+\.py)`\]\(\.\./examples/\1\)", GALLERY.read_text(), re.M)
    helpers = {"demo.py", "hall_network.py", "points.py"}
    assert sorted(listed) == sorted({p.name for p in EXAMPLES.glob("*.py")} - helpers)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_files_that_pages_name_are_there(page: Path) -> None:
    text = page.read_text()
    for named in re.findall(r"`((?:tests|jaxcogc|examples|benchmarks|docs)/[\w./-]*)`", text):
        assert (PROJECT / named).exists(), named
    for _, place in IMAGE.findall(text):
        assert (page.parent / place).is_file(), place
