"""How many repetitions a test makes: few with `make test`, many with `make soak`."""

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.shape_checks import check_public_signatures

# Programs compiled by one test, or by the run before, serve the others and those they start, small
# ones too: a third of the time. Set before JAX is imported, hence here.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).resolve().parent.parent / ".jax_cache")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

check_public_signatures()

SOAK = os.environ.get("JAXCOGC_SOAK", "") not in ("", "0")

settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True)
settings.register_profile("soak", max_examples=1000, deadline=None)
settings.load_profile("soak" if SOAK else "quick")


RELEASE_BYTES = 1_000_000_000


def _held_bytes() -> int:
    """Memory of this process; where the system does not say, more than any limit."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return sys.maxsize
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(autouse=True, scope="module")
def _release_programs() -> Iterator[None]:
    """Compiled programs go when a worker holds a gigabyte: else it would hold several.

    All tests of a file run in one worker, one after the other, so that each program of theirs is
    compiled once.
    """
    yield
    if "jax" in sys.modules and _held_bytes() >= RELEASE_BYTES:
        _drop_programs()
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps what is free
    if give_back is not None:
        give_back(0)


def _drop_programs() -> None:
    import jax

    jax.clear_caches()
    program = sys.modules.get("jaxcogc.outage.simulation.program")
    if program is not None:
        program.compiled_program.cache_clear()
    gc.collect()


@pytest.fixture(scope="session")
def soak() -> bool:
    """True in `make soak`."""
    return SOAK


@pytest.fixture(scope="session")
def repetitions():
    """`repetitions(few, many)`: the second number in `make soak`, else the first."""

    def choose(few: int, many: int) -> int:
        return many if SOAK else few

    return choose


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not SOAK:
        for item in items:
            if "soak" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="long: runs in `make soak`"))


def pytest_report_header() -> str:
    return f"repetitions: {'many (soak)' if SOAK else 'few'}"
