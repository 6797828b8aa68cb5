"""The house rules that a reader relies on, checked on the source itself."""

import ast
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

import jaxcogc
from tests.places import PROJECT
from tests.source_tree import BESIDE, OUTSIDE, SOURCES, FunctionDef, path_name, tree_of


def _functions(tree: ast.AST) -> Iterator[FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, FunctionDef))


def _public_functions(tree: ast.Module) -> Iterator[FunctionDef]:
    """Functions of the module and methods of its classes, without leading underscore."""
    for node in tree.body:
        if isinstance(node, FunctionDef) and not node.name.startswith("_"):
            yield node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from (
                item
                for item in node.body
                if isinstance(item, FunctionDef) and not item.name.startswith("_")
            )


@pytest.mark.parametrize("path", [*SOURCES, *OUTSIDE, *BESIDE], ids=path_name)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    for function in _functions(tree_of(path)):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length < 60, f"{function.name} has {length} lines"


def test_folders_stay_small() -> None:
    for folder, number in Counter(path.parent for path in SOURCES).items():
        assert number - 1 <= 14, f"{path_name(folder)} holds {number - 1} files"


@pytest.mark.parametrize("path", SOURCES, ids=path_name)
def test_key_comes_first(path: Path) -> None:
    """In whatever samples; a key that may be left out is keyword-like and may stand elsewhere."""
    for function in _public_functions(tree_of(path)):
        positional = function.args.posonlyargs + function.args.args
        required = positional[: len(positional) - len(function.args.defaults)]
        names = [a.arg for a in required if a.arg not in ("self", "cls")]
        if "key" in names:
            assert names[0] == "key", f"{function.name}({', '.join(names)})"


@pytest.mark.parametrize("path", SOURCES, ids=path_name)
def test_public_functions_have_docstrings_and_types(path: Path) -> None:
    tree = tree_of(path)
    assert ast.get_docstring(tree), "the module has no docstring"
    for function in _public_functions(tree):
        if not any("overload" in ast.unparse(d) for d in function.decorator_list):
            assert ast.get_docstring(function), f"{function.name} has no docstring"
        arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
        for argument in arguments:
            typed = argument.annotation is not None or argument.arg in ("self", "cls")
            assert typed, f"{function.name}: {argument.arg} has no type"
        assert function.returns is not None, f"{function.name} has no return type"


def test_one_version() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert f"version: {jaxcogc.__version__}\n" in (PROJECT / "CITATION.cff").read_text()
    assert f"## {jaxcogc.__version__}" in (PROJECT / "CHANGELOG.md").read_text()


@pytest.mark.slow
def test_a_sweep_of_probabilities_and_stragglers_is_one_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Thresholds and code coefficients are inputs of the compiled program, not constants in it."""

    def run(uplink_erasure: float, peer_erasure: float, num_stragglers: int) -> None:
        network = jaxcogc.Network.homogeneous(
            5, uplink_erasure=uplink_erasure, peer_erasure=peer_erasure
        )
        code = jaxcogc.cyclic_code(jax.random.key(0), 5, num_stragglers)
        jaxcogc.simulate_outcomes(jax.random.key(1), network, code, num_trials=100)
        jaxcogc.gc_outage_probability(network, num_stragglers)

    run(0.3, 0.1, 2)
    with jax.log_compiles():
        run(0.0, 0.9, 2)
        run(1.0, 0.5, 2)
    assert not [r.getMessage() for r in caplog.records if "Compiling" in r.getMessage()]
    network = jaxcogc.Network.homogeneous(5, uplink_erasure=0.3, peer_erasure=0.1)
    codes = [jaxcogc.cyclic_code(jax.random.key(0), 5, s) for s in range(5)]
    with jax.log_compiles():
        for code in codes:
            jaxcogc.simulate_outcomes(jax.random.key(1), network, code, num_trials=100)
    assert not [r.getMessage() for r in caplog.records if "Compiling" in r.getMessage()]
    with jax.log_compiles():  # the check itself can fail
        jax.jit(lambda x: x + 1)(1.0)
    assert [r.getMessage() for r in caplog.records if "Compiling" in r.getMessage()]


def _texts() -> list[Path]:
    """What git would carry, or everything but hidden and made folders in a copy without git."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        paths = [PROJECT / line for line in listed.stdout.splitlines()]
    else:
        paths = [
            path
            for path in PROJECT.rglob("*")
            if not {"results", "build", "dist"} & set(path.relative_to(PROJECT).parts[:1])
            and not any(part.startswith(".") for part in path.relative_to(PROJECT).parts)
        ]
    kinds = {".py", ".pyi", ".md", ".toml", ".yaml", ".txt", ".cff", ".json", ""}
    return [path for path in paths if path.is_file() and path.suffix in kinds]


def test_no_word_that_must_not_be_there() -> None:
    """No claim to repeat published figures, no path of one machine, no address of a registry."""
    forbidden = re.compile(
        r"as in the " + r"paper|reproduces|\bFigure [0-9]|/(?:tmp|root|work|home)/|"
        r"(?:extra-)?index-" + r"url|pypi\.org|files\.pythonhosted",
        re.IGNORECASE,
    )
    found = [
        f"{path.relative_to(PROJECT)}:{number}: {line.strip()[:80]}"
        for path in _texts()
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if forbidden.search(line)
    ]
    assert not found, "\n".join(found)


def test_sources_that_docstrings_name_are_there() -> None:
    """`docs/PAGE.md, "Heading"`, wherever it stands in the package."""
    for path in SOURCES:
        text = " ".join(path.read_text().split())
        for page in re.findall(r"([\w/]+\.md)", text):
            assert any((PROJECT / folder / page).exists() for folder in (".", "docs")), path
        for page, headings in re.findall(r"(docs/[\w/]+\.md), ((?:\"[^\"]+\"(?: and )?)+)", text):
            for heading in re.findall(r"\"(.*?)\"", headings):
                assert f"\n## {heading}\n" in (PROJECT / page).read_text(), (path, heading)


SECTION = re.compile(r"^( *)(Args|Attributes|Raises|Returns|Yields):\n( *)\S", re.MULTILINE)


@pytest.mark.parametrize("path", SOURCES, ids=path_name)
def test_one_style_of_docstrings(path: Path) -> None:
    """Sections are indented by two spaces, as in JAX itself."""
    text = path.read_text()
    for section in SECTION.finditer(text):
        assert len(section[3]) == len(section[1]) + 2, section[0]
    assert not re.search(r"^ *Errors:", text, re.MULTILINE), "errors stand under Raises:"
