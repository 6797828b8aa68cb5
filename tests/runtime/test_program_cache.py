"""Compiled programs stay in the user's cache folder, unless he has told JAX or us otherwise."""

import os
import pwd
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxcogc.runtime import program_cache
from jaxcogc.runtime.devices import device_mesh
from jaxcogc.runtime.program_cache import keep_programs, lowered

NAMES = (
    "JAX_COMPILATION_CACHE_DIR",
    "JAX_COMPILATION_CACHE_MAX_SIZE",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
    "JAX_ENABLE_COMPILATION_CACHE",
)


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A process that has not imported JAX, of a user with an empty cache folder."""
    monkeypatch.setattr(program_cache, "_traced", None)
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


@pytest.mark.slow
def test_the_program_keeps_what_it_compiles(tmp_path):
    """Always the same numbers: without a file, with new ones, with old ones, with torn ones."""
    environment = {k: v for k, v in os.environ.items() if k not in NAMES}
    environment["XDG_CACHE_HOME"] = str(tmp_path)
    environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"  # else it depends on the load
    verb = ["outage", "--clients", "4", "--stragglers", "1", "--trials", "100", "--quiet"]

    def run(*options: str) -> tuple[str, dict[Path, int]]:
        command = [sys.executable, "-m", "jaxcogc", *options, *verb]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        kept = [*tmp_path.rglob("*-cache"), *tmp_path.rglob("traced/*")]
        return done.stdout, {file: file.stat().st_size for file in kept}

    bare, none = run("--no-cache")
    assert not none
    first, files = run()
    second, again = run()
    assert again == files
    (traced,) = [file for file in files if file.parent.name == "traced"]
    assert len(files) > 1
    traced.write_bytes(b"torn")
    third, mended = run()
    assert mended.keys() == files.keys()
    assert mended[traced] == files[traced]
    rows = [text.split("in ")[0] for text in (bare, first, second, third)]
    assert rows == rows[:1] * 4


def lowered_sum(number, traced):
    """A small program that adds a number, for two devices; `traced` grows where one is traced."""

    def program(inputs):
        traced.append(number)
        return {"sum": inputs["x"] + inputs["y"] + number}

    inputs = {"y": np.arange(3), "x": np.int32(0)}
    return lowered(f"add {number}", program, device_mesh(jax.devices()[:2]), inputs)


def test_what_has_been_traced_is_not_traced_again(tmp_path, monkeypatch):
    monkeypatch.setattr(program_cache, "_traced", tmp_path)
    traced = []
    for number in (1, 2, 1, 2):
        program = lowered_sum(number, traced).compile()
        found = program({"x": np.int32(5), "y": np.arange(3)})
        np.testing.assert_array_equal(found["sum"], 5 + np.arange(3) + number)
    assert traced == [1, 2]
    assert len(list(tmp_path.iterdir())) == 2
    for changed in ("JAX_ANY", "XLA_ANY"):  # another setting, another program
        monkeypatch.setenv(changed, "1")
        lowered_sum(1, traced)
    monkeypatch.setattr(jax, "__version__", "0")
    lowered_sum(1, traced)
    monkeypatch.setattr(program_cache, "_sources", "others")
    lowered_sum(1, traced)
    assert traced == [1, 2, 1, 1, 1, 1]


def test_a_kept_program_loads_no_linear_algebra(tmp_path):
    """JAX imports scipy.linalg for any program of a CPU that was traced before."""
    code = """
import sys, jax
from jaxcogc.runtime import program_cache
from jaxcogc.runtime.devices import device_mesh
program_cache._traced = program_cache.Path(sys.argv[1])
program = program_cache.lowered("one more", lambda x: x + 1, device_mesh(jax.devices()), 1)
assert program.compile()(1) == 2
assert list(program_cache._traced.iterdir())
assert "scipy.linalg" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


@pytest.mark.parametrize("torn", [b"", b"torn", 1])
def test_torn_files_are_as_good_as_none(torn, tmp_path, monkeypatch):
    monkeypatch.setattr(program_cache, "_traced", tmp_path)
    traced = []
    lowered_sum(1, traced)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(torn if isinstance(torn, bytes) else whole[:-torn])
    lowered_sum(1, traced)
    assert traced == [1, 1]
    lowered_sum(1, traced)
    assert traced == [1, 1]  # mended


def test_a_source_that_cannot_be_read_keeps_nothing_traced(home, monkeypatch):
    def fails():
        raise FileNotFoundError(".#program.py")

    monkeypatch.setattr(program_cache, "_digest_of_sources", fails)
    assert keep_programs() is not None
    assert program_cache._traced is None


def test_the_programs_used_longest_ago_go(tmp_path, monkeypatch):
    monkeypatch.setattr(program_cache, "_traced", tmp_path)
    monkeypatch.setattr(program_cache, "_MOST_TRACED", 2)
    for number, age in enumerate((30, 10, 20)):
        file = tmp_path / str(number)
        file.write_bytes(b"")
        os.utime(file, (time.time() - age,) * 2)
    lowered_sum(1, [])
    left = {file.name for file in tmp_path.iterdir()}
    assert "1" in left
    assert len(left) == 2


def test_a_folder_that_is_gone_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(program_cache, "_traced", tmp_path / "gone")
    found = lowered_sum(1, []).compile()({"x": np.int32(5), "y": np.arange(3)})
    np.testing.assert_array_equal(found["sum"], 6 + np.arange(3))
