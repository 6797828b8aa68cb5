"""Imports run downwards: floors, siblings, no cycles, drawing in one room, a light start."""

import ast
import subprocess
import sys

import pytest

from tests.places import PROJECT
from tests.source_tree import (
    SOURCES,
    import_cycles,
    import_graph,
    imported_names,
    module_name,
    tree_of,
)

FLOORS = (
    {"names", "_types", "allowed", "number_text"},
    {"runtime"},
    {"links"},
    {"coding"},
    {"outage", "federated"},
    {"study", "design", "training"},
    {"figures"},
    {"runs"},
    {"cli"},
    {"__main__"},
)
"""Each imports only from floors below its own; rooms of one floor do not import each other."""

FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def _room(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", [m for m in import_graph() if m != "jaxcogc"])
def test_imports_run_downwards(module: str) -> None:
    here = _room(module)
    for imported in import_graph()[module]:
        if imported == "jaxcogc":  # for its version, as the next test says
            continue
        there = _room(imported)
        below = FLOOR_OF[there] < FLOOR_OF[here]
        assert below or there == here, f"{module} imports {imported}"


def of_the_package_itself(tree: ast.AST) -> set[str]:
    """The names that a source takes from bare `jaxcogc`, whose lazy loader leads to any floor."""
    nodes = list(ast.walk(tree))
    aliases = [alias for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    package = {alias.asname or alias.name for alias in aliases if alias.name == "jaxcogc"}
    used = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in package
    }
    modules = {*import_graph(), "jaxcogc"}
    return used | {
        name.removeprefix("jaxcogc.")
        for name in set(imported_names(tree)) - modules
        if name.rpartition(".")[0] == "jaxcogc"
    }


def test_of_the_package_itself_only_the_version_is_used() -> None:
    used = set().union(*(of_the_package_itself(tree_of(path)) for path in SOURCES))
    assert used == {"__version__"}


def test_other_names_of_the_package_would_be_found() -> None:
    source = "import jaxcogc as j\nfrom jaxcogc import Network, figures\nprint(j.recover)"
    assert of_the_package_itself(ast.parse(source)) == {"Network", "recover"}


def test_every_room_has_a_floor() -> None:
    assert {_room(module) for module in import_graph() if module != "jaxcogc"} == set(FLOOR_OF)


def test_no_two_modules_import_each_other() -> None:
    """Imports inside functions and for type checkers alone count too."""
    assert import_cycles(import_graph()) == []


def test_a_cycle_would_be_found() -> None:
    assert import_cycles({"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("b")}) == [
        "b",
        "c",
    ]


def test_only_figures_draw() -> None:
    """The examples and benchmarks draw pictures of their own."""
    drawing = {
        _room(module_name(path))
        for path in SOURCES
        for name in imported_names(tree_of(path))
        if name.split(".")[0] in ("matplotlib", "plotly")
    }
    assert drawing == {"figures"}


def test_the_closed_form_is_an_independent_oracle() -> None:
    seen: set[str] = set()
    waiting = {"jaxcogc.outage.laws.gc_outage"}
    while waiting:
        module = waiting.pop()
        seen.add(module)
        waiting |= import_graph()[module] - seen
    assert "jaxcogc.links.network" in seen
    assert not seen & {
        "jaxcogc.coding.recovery",
        "jaxcogc.coding.exact.null_vector",
        "jaxcogc.outage.simulation.monte_carlo",
        "jaxcogc.outage.enumeration",
    }


@pytest.mark.parametrize("module", ["jaxcogc", "jaxcogc.cli.app"])
def test_import_is_light(module: str) -> None:
    """`jaxcogc --help` answers at once because nothing heavy is imported."""
    heavy = "{'jax', 'numpy', 'scipy', 'matplotlib', 'rich'}"
    code = f"import sys, {module}; print(*sorted({heavy} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    assert run.stdout.split() == []
