"""The house rules that a reader relies on, checked on the source itself."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

import jaxcogc
from tests.places import PROJECT

PACKAGE = PROJECT / "jaxcogc"
SOURCES = sorted(PACKAGE.rglob("*.py"))
WRITTEN = [
    p for name in ("jaxcogc", "benchmarks", "examples") for p in (PROJECT / name).rglob("*.py")
]
FLOORS = {
    "_types": 0,
    "names": 0,
    "number_text": 0,
    "allowed": 0,
    "runtime": 1,
    "links": 2,
    "coding": 3,
    "outage": 4,
    "federated": 4,
    "study": 5,
    "design": 5,
    "training": 5,
    "figures": 6,
    "cli": 7,
}
GLOSSARY = "clients|attempts|rows|trials|params|rounds|seeds|points|samples"
# Public names that take and return single numbers and named structures, which tell their shapes.
NO_BARE_ARRAYS = {
    "ConvergenceBound",
    "Estimate",
    "LocalSteps",
    "LossConstants",
    "Simulation",
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
    "rare_outcomes",
    "recover",
    "rounds_for_target",
    "simulate_outcomes",
    "uncoded",
    "wilson",
}
FunctionDef = ast.FunctionDef | ast.AsyncFunctionDef


def _name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def _imports(tree: ast.AST) -> Iterator[str]:
    """Every `jaxcogc.…` module that a source imports, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("jaxcogc."))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            if (node.module or "").startswith("jaxcogc."):
                yield node.module or ""
            elif node.module == "jaxcogc":
                yield from (f"jaxcogc.{alias.name}" for alias in node.names)


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


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if p.parent != PACKAGE or p.name == "_types.py"], ids=_name
)
def test_imports_run_downwards(path: Path) -> None:
    here = path.relative_to(PACKAGE).with_suffix("").parts[0]
    for module in _imports(ast.parse(path.read_text())):
        there = module.split(".")[1]
        below = FLOORS[there] < FLOORS[here]
        assert below or there == here, f"{_name(path)} imports {module}"


def test_the_closed_form_is_an_independent_oracle() -> None:
    seen: set[str] = set()
    waiting = {"jaxcogc.outage.closed_form"}
    while waiting:
        module = waiting.pop()
        seen.add(module)
        path = PROJECT / (module.replace(".", "/") + ".py")
        if path.is_file():
            waiting |= set(_imports(ast.parse(path.read_text()))) - seen
    assert not seen & {
        "jaxcogc.coding.recovery",
        "jaxcogc.coding.exact.null_vector",
        "jaxcogc.outage.simulation.monte_carlo",
        "jaxcogc.outage.enumeration",
    }


@pytest.mark.parametrize("path", WRITTEN, ids=_name)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    for function in _functions(ast.parse(text)):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length < 60, f"{function.name} has {length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_key_comes_first(path: Path) -> None:
    """In whatever samples; a key that may be left out is keyword-like and may stand elsewhere."""
    for function in _public_functions(ast.parse(path.read_text())):
        positional = function.args.posonlyargs + function.args.args
        required = positional[: len(positional) - len(function.args.defaults)]
        names = [a.arg for a in required if a.arg not in ("self", "cls")]
        if "key" in names:
            assert names[0] == "key", f"{function.name}({', '.join(names)})"


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_public_functions_have_docstrings_and_types(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module has no docstring"
    for function in _public_functions(tree):
        if not any("overload" in ast.unparse(d) for d in function.decorator_list):
            assert ast.get_docstring(function), f"{function.name} has no docstring"
        arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
        for argument in arguments:
            typed = argument.annotation is not None or argument.arg in ("self", "cls")
            assert typed, f"{function.name}: {argument.arg} has no type"
        assert function.returns is not None, f"{function.name} has no return type"


PUBLIC = sorted(name for name in jaxcogc.__all__ if not inspect.ismodule(getattr(jaxcogc, name)))


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_say_their_shapes(name: str) -> None:
    value = getattr(jaxcogc, name)
    doc = inspect.getdoc(value) or ""
    assert len(doc.split("\n")[0]) > 10, f"{name} has no docstring"
    if name not in NO_BARE_ARRAYS:
        assert re.search(rf"\[(?:{GLOSSARY})\b", doc), f"{name} gives no shape"


@pytest.mark.parametrize("stub", sorted(PACKAGE.rglob("__init__.pyi")), ids=_name)
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


@pytest.mark.parametrize("module", ["jaxcogc", "jaxcogc.cli.app"])
def test_import_is_light(module: str) -> None:
    """`jaxcogc --help` answers at once because nothing heavy is imported."""
    heavy = "{'jax', 'numpy', 'scipy', 'matplotlib', 'rich'}"
    code = f"import sys, {module}; print(*sorted({heavy} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    assert run.stdout.split() == []


def test_one_version() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert f"version: {jaxcogc.__version__}\n" in (PROJECT / "CITATION.cff").read_text()
    assert f"## {jaxcogc.__version__}" in (PROJECT / "CHANGELOG.md").read_text()


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
    kinds = {".py", ".md", ".toml", ".txt", ".cff", ".json", ""}
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
