"""Where things lie, and who may look there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
EXAMPLES = PROJECT / "examples"
SHARED = PROJECT.parent / "shared"
"""Reference values and networks beside the project; there on some machines only."""

_NOBODY = 65534


@contextmanager
def somebody_else() -> Iterator[None]:
    """Without root's right to look and to write everywhere."""
    user = os.geteuid()
    os.seteuid(user or _NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
