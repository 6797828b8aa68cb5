"""Whether the competitor can run: Numba is an extra."""

from importlib.util import find_spec


def why_no_numba() -> str | None:
    """None when Numba is installed, else what to say in its place."""
    return None if find_spec("numba") else "numba is not installed: pip install 'jaxcogc[bench]'"
