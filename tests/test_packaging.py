"""The wheel: what is in it, that it runs where nothing of this checkout is, what it asks for."""

import json
import os
import shutil
import site
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.places import PROJECT
from tests.source_tree import PACKAGE, SOURCES, imported_names, tree_of

BY_OTHERS = {"pyarrow", "filelock", "flatbuffers"}
"""Declared for what others do with them: pandas writes Parquet, JAX bounds a cache of programs."""


def _run(*command: object, cwd: Path | None = None) -> str:
    """Run to a good end; its standard output. Nothing from the caller's Python paths comes in."""
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], env=surroundings, cwd=cwd, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: what an earlier build left in the checkout must not come in."""
    copy = tmp_path_factory.mktemp("source")
    shutil.copytree(PACKAGE, copy / "jaxcogc", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, copy)
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", copy)
    (built,) = (copy / "dist").glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = [*SOURCES, *PACKAGE.rglob("__init__.pyi"), PACKAGE / "py.typed"]
    assert names == {path.relative_to(PROJECT).as_posix() for path in expected}


@pytest.mark.slow
def test_the_wheel_runs_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """Other packages come from the running environment, by their path alone: of this project it
    holds a link to the checkout, which a path does not follow."""
    home = tmp_path / "venv"
    venv.create(home, symlinks=True)
    scripts = home / ("Scripts" if os.name == "nt" else "bin")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python")
    _run(*pip, scripts / "python", "install", "--quiet", "--no-deps", "--no-index", wheel)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(_run(scripts / "python", "-c", where).strip())
    (packages / "others.pth").write_text("\n".join([*site.getsitepackages(), ""]))
    imported = "import jaxcogc; print(jaxcogc.__file__)"
    assert Path(_run(scripts / "python", "-c", imported, cwd=tmp_path).strip()) == (
        packages / "jaxcogc" / "__init__.py"
    )
    options = ["outage", "--trials", "1000", "--clients", "4", "--stragglers", "1", "--json", "-"]
    found = json.loads(_run(scripts / "jaxcogc", *options, cwd=tmp_path))
    assert (found["clients"], found["trials"]) == (4, 1000)
    assert found["gc_outage"]["low"] < found["gc_outage_closed_form"] < found["gc_outage"]["high"]


def test_what_is_imported_is_declared() -> None:
    """Every package that a source imports is a dependency, and every dependency is imported."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    declared = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    roots = {name.split(".")[0] for path in SOURCES for name in imported_names(tree_of(path))}
    owners = packages_distributions()
    imported = set()
    for root in roots - sys.stdlib_module_names - {"jaxcogc"}:
        distributions = {canonicalize_name(name) for name in owners[root]}
        assert distributions & declared, f"{root} is not declared"
        imported |= distributions & declared
    assert declared - imported == BY_OTHERS
