"""Where things lie."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
EXAMPLES = PROJECT / "examples"
SHARED = PROJECT.parent / "shared"
"""Reference values and networks beside the project; there on some machines only."""
