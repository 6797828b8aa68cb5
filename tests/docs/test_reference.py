"""The reference describes every public name and every option: it is made from their lists."""

import importlib
import sys

import pytest

from jaxcogc.cli.app import VERBS
from tests.places import PROJECT

DOCS = PROJECT / "docs"
sys.path.insert(0, str(DOCS / "extensions"))
reference_pages = importlib.import_module("reference_pages")
PAGES: dict[str, str] = reference_pages.pages()


@pytest.mark.parametrize("package", reference_pages.folders())
def test_every_public_name_is_described(package: str) -> None:
    page = PAGES[package.rpartition(".")[2] + ".rst"].split()
    for name in importlib.import_module(package).__all__:
        assert page.count(f"{package}.{name}") == 1, name


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "reference" / "index.md").read_text().splitlines()
    for page in PAGES:
        assert f"generated/{page.removesuffix('.rst')}" in index


def test_everyday_names_lead_to_their_descriptions() -> None:
    page = PAGES["jaxcogc.rst"]
    folders = {package.rpartition(".")[2] for package in reference_pages.folders()} | {"names"}
    for name in set(importlib.import_module("jaxcogc").__all__) - folders:
        assert f":py:obj:`jaxcogc.{name} <jaxcogc." in page, name


def test_every_option_of_every_verb_is_described() -> None:
    sections = PAGES["verbs.rst"].split(".. _verb-")[1:]
    assert len(sections) == len(VERBS)
    for verb, section in zip(VERBS, sections, strict=True):
        assert section.startswith(f"{verb.work.__name__}:")
        for told in verb.record.options().values():
            assert f"   * - ``{told.flag}" in section, told.flag
