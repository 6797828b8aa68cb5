"""The package as its sources show it: modules, and who imports whom."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.places import PROJECT

PACKAGE = PROJECT / "jaxcogc"
SOURCES = sorted(PACKAGE.rglob("*.py"))
OUTSIDE = [p for name in ("benchmarks", "examples") for p in sorted((PROJECT / name).rglob("*.py"))]
BESIDE = [p for name in ("docs", "tests") for p in sorted((PROJECT / name).rglob("*.py"))]
FunctionDef = ast.FunctionDef | ast.AsyncFunctionDef


def path_name(path: Path) -> str:
    """Of a test's parameter: the path inside the project."""
    return str(path.relative_to(PROJECT))


def module_name(path: Path) -> str:
    """`jaxcogc.links.network` of `jaxcogc/links/network.py`; a folder of its `__init__.py`."""
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(path: Path) -> ast.Module:
    """The parsed source."""
    return ast.parse(path.read_text())


def imported_names(tree: ast.AST) -> Iterator[str]:
    """Every name that a source imports, with its module before it; at any depth, for types too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def import_graph() -> Mapping[str, frozenset[str]]:
    """From every module of the package to the modules of it that it imports."""
    modules = {module_name(path): path for path in SOURCES}

    def home(name: str) -> str:
        """The module that a dotted name lies in, or the empty text."""
        while name and name not in modules:
            name = name.rpartition(".")[0]
        return name

    return {
        module: frozenset(map(home, imported_names(tree_of(path)))) - {module, ""}
        for module, path in modules.items()
    }


def import_cycles(graph: Mapping[str, frozenset[str]]) -> list[str]:
    """Modules that import each other, each once, as far as they are not before or after a cycle.

    >>> import_cycles({"a": frozenset("b"), "b": frozenset("a"), "c": frozenset("a")})
    ['a', 'b']
    """
    left = {module: set(imported) for module, imported in graph.items()}
    while True:
        wanted = set().union(*left.values()) if left else set()
        ends = {m for m, imported in left.items() if not imported & left.keys() or m not in wanted}
        if not ends:
            return sorted(left)
        left = {m: imported - ends for m, imported in left.items() if m not in ends}
