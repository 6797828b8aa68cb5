"""Public names: one list, the stubs; what they say; nothing else is used outside the package."""

import ast
import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import jaxcogc
from tests.places import PROJECT
from tests.source_tree import OUTSIDE, PACKAGE, path_name

REFERENCE_PAGES = PROJECT / "docs" / "extensions" / "reference_pages.py"
WRITTEN_IN_PYTHON = [
    *OUTSIDE,
    *sorted((PROJECT / "docs").rglob("*.py")),
    *sorted((PROJECT / "docs" / "notebooks").glob("*.ipynb")),
]
EXCEPTIONS = {REFERENCE_PAGES: {"jaxcogc.cli.app.VERBS"}}
"""The page of all verbs is made from the list that the program has, which is nobody's else."""
DOCUMENTS = [
    *PROJECT.glob("*.md"),
    *(p for d in ("docs", "benchmarks") for p in (PROJECT / d).rglob("*.md")),
]
GLOSSARY = "clients|attempts|rows|trials|params|rounds|seeds|points|samples"
# Public names that take and return single numbers and named structures, which tell their shapes.
NO_BARE_ARRAYS = {
    "ConvergenceBound",
    "DecodingTime",
    "Estimate",
    "LocalSteps",
    "LossConstants",
    "Simulation",
    "all_ones_ring_code",
    "best_learning_rate",
    "clopper_pearson",
    "compile_simulation",
    "convergence_bound",
    "cyclic_code",
    "cyclic_mds_code",
    "draw_links",
    "enumerate_outcomes",
    "fractional_repetition_code",
    "fractional_repetition_outage_probability",
    "gc_outage_probability",
    "log_gc_outage_probability",
    "make_model",
    "outcomes_from_counts",
    "RareOutcomes",
    "RetransmissionSlots",
    "rare_outcomes",
    "recover",
    "rounds_for_target",
    "simulate_outcomes",
    "uncoded",
    "wilson",
}

PUBLIC = sorted(name for name in jaxcogc.__all__ if not inspect.ismodule(getattr(jaxcogc, name)))


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_say_their_shapes(name: str) -> None:
    value = getattr(jaxcogc, name)
    doc = inspect.getdoc(value) or ""
    assert len(doc.split("\n")[0]) > 10, f"{name} has no docstring"
    if name not in NO_BARE_ARRAYS:
        assert re.search(rf"\[(?:{GLOSSARY})\b", doc), f"{name} gives no shape"


@pytest.mark.parametrize("stub", sorted(PACKAGE.rglob("__init__.pyi")), ids=path_name)
def test_stubs_say_what_is_there(stub: Path) -> None:
    """The stub is the one list of public names, for type checkers and for the lazy loader."""
    package = ".".join(stub.parent.relative_to(PROJECT).parts)
    loaded = importlib.import_module(package)
    names = []
    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            home = importlib.import_module("." * node.level + (node.module or ""), package)
            for alias in node.names:
                expected = (
                    getattr(home, alias.name)
                    if node.module
                    else importlib.import_module(f"{package}.{alias.name}")
                )
                assert getattr(loaded, alias.name) is expected
                names.append(alias.name)
    assert sorted(names) == sorted(loaded.__all__)
    assert set(names) <= set(dir(loaded))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = loaded.nonsense


def _is_public(name: str) -> bool:
    """Whether users may write this: as far as it names modules, the next is one of their names.

    >>> _is_public("jaxcogc.Network.homogeneous"), _is_public("jaxcogc.coding.recovery.recover")
    (True, False)
    """
    found, *rest = jaxcogc, *name.split(".")[1:]
    for part in rest:
        if not inspect.ismodule(found):
            break
        listed = getattr(found, "__all__", [n for n in vars(found) if not n.startswith("_")])
        if part != "__version__" and part not in listed:
            return False
        found = getattr(found, part)
    return True


def _names_used(tree: ast.AST) -> Iterator[str]:
    """Names of the package that a source imports, or reaches by dots."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            root, _, rest = ast.unparse(node).partition(".")
            if root in names:
                yield f"{names[root]}.{rest}"


def _python_of(path: Path) -> str:
    """A source, or the code of a notebook's cells."""
    text = path.read_text()
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


def _deeper_names(path: Path) -> set[str]:
    """What a source uses of the package and is not public."""
    used = _names_used(ast.parse(_python_of(path)))
    return {name for name in used if name.startswith("jaxcogc") and not _is_public(name)}


@pytest.mark.parametrize("path", WRITTEN_IN_PYTHON, ids=path_name)
def test_examples_benchmarks_and_documentation_use_public_names(path: Path) -> None:
    assert _deeper_names(path) == EXCEPTIONS.get(path, set())


@pytest.mark.parametrize("path", DOCUMENTS, ids=path_name)
def test_documents_name_public_names(path: Path) -> None:
    """In their code and in their text."""
    text = path.read_text()
    for name in re.findall(r"\bjaxcogc(?:\.[A-Za-z_]\w*)+", text):
        assert _is_public(name), f"{name} is not public"
    for module, names in re.findall(r"\bfrom (jaxcogc[\w.]*) import ([\w, ]+)", text):
        for name in names.split(","):
            assert _is_public(f"{module}.{name.strip()}"), f"{module}.{name.strip()} is not public"


def test_a_deeper_name_would_be_found() -> None:
    source = """
import jaxcogc.coding.recovery
from jaxcogc import figures as pictures
from jaxcogc.links.draws import Links
print(jaxcogc.Network.homogeneous, jaxcogc.coding.recovery.recover, pictures.style.Figure)
"""
    refused = {name for name in _names_used(ast.parse(source)) if not _is_public(name)}
    assert refused == {
        "jaxcogc.coding.recovery",
        "jaxcogc.links.draws.Links",
        "jaxcogc.coding.recovery.recover",
        "jaxcogc.figures.style.Figure",
        "jaxcogc.figures.style",
    }
