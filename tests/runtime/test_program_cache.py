"""Compiled programs stay in the user's cache folder, unless he has told JAX or us otherwise."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from jaxcogc.runtime.program_cache import keep_programs

NAMES = (
    "JAX_COMPILATION_CACHE_DIR",
    "JAX_COMPILATION_CACHE_MAX_SIZE",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
    "JAX_ENABLE_COMPILATION_CACHE",
)


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A process that has not imported JAX, of a user with an empty cache folder."""
    for name in NAMES:
        monkeypatch.setenv(name, "")  # so that what the test sets is forgotten
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    return tmp_path


def test_a_folder_for_this_kind_of_processor(home):
    folder = keep_programs()
    assert folder is not None
    assert folder.parent == home / "jaxcogc" / "programs"
    assert folder.is_dir()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(folder)
    assert keep_programs() is None  # told already


@pytest.mark.parametrize("name", ["JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE"])
def test_a_users_own_settings_stay(home, monkeypatch, name):
    monkeypatch.setenv(name, "0")
    assert keep_programs() is None
    assert {key for key in NAMES if key in os.environ} == {name}
    assert not list(home.iterdir())


def test_a_home_that_cannot_be_written(home):
    (home / "jaxcogc").write_text("a file where the folder should be")
    assert keep_programs() is None
    assert not {key for key in NAMES if key in os.environ}


def test_a_user_without_a_home(home, monkeypatch, tmp_path):
    """As in containers that run under any number: no HOME, and nobody of that number is known."""

    def unknown(number):
        raise KeyError(number)

    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.chdir(tmp_path)
    assert keep_programs() is None
    assert not list(tmp_path.iterdir())  # no folder that is called ~


def test_jax_runs_already(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", sys)
    assert keep_programs() is None


def test_the_program_keeps_what_it_compiles(tmp_path):
    """Twice the same numbers, the second time without a new file; --no-cache leaves none."""
    environment = {k: v for k, v in os.environ.items() if k not in NAMES}
    environment["XDG_CACHE_HOME"] = str(tmp_path)
    environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"  # else it depends on the load
    verb = ["outage", "--clients", "4", "--stragglers", "1", "--trials", "100", "--quiet"]

    def run(*options: str) -> tuple[str, set[Path]]:
        command = [sys.executable, "-m", "jaxcogc", *options, *verb]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return done.stdout, set(tmp_path.rglob("*-cache"))

    bare, none = run("--no-cache")
    assert not none
    first, files = run()
    second, again = run()
    assert files
    assert again == files
    rows = [text.split("in ")[0] for text in (bare, first, second)]
    assert rows[0] == rows[1] == rows[2]
