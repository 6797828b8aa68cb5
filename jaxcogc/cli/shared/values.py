"""Option values: from the text a user typed to checked Python values."""

import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches

from jaxcogc.cli.shared.errors import UserError, rejected

MAX_TRIALS = 10**13
"""Within what the block numbers of a run can hold."""


def parse_count(field: str, text: str, *, low: int = 1, high: int = MAX_TRIALS) -> int:
    """A whole number, also in the forms 1e6 and 1_000_000.

    >>> parse_count("--trials", "1e6"), parse_count("--trials", "1_000_000")
    (1000000, 1000000)
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    # The size is compared first: int(Decimal("1e999999999")) would take all memory.
    if value.is_finite() and low <= value <= high and value == int(value):
        return int(value)
    example = " (1e6 and 1_000_000 are read)" if high >= 10**6 and low else ""
    raise rejected(field, text, f"a whole number from {low} to {high:,}{example}")


def parse_power_of_two(field: str, text: str, high: int) -> int:
    """1, 2, 4, .. high.

    >>> parse_power_of_two("--tile", "1024", 2**14)
    1024
    """
    value = parse_count(field, text, high=high)
    if value & (value - 1):
        raise rejected(field, text, f"a power of two up to {high:,}")
    return value


def parse_probability(field: str, text: str) -> float:
    """A number in [0, 1].

    >>> parse_probability("--uplink-erasure", "0.4")
    0.4
    """
    value = _parse_float(text)
    if value is None or not 0 <= value <= 1:
        raise rejected(field, text, "a probability in [0, 1]")
    return value


def parse_level(field: str, text: str) -> float:
    """A confidence level, strictly between 0 and 1.

    >>> parse_level("--level", "0.95")
    0.95
    """
    value = _parse_float(text)
    if value is None or not 0 < value < 1:
        raise rejected(field, text, "a confidence level strictly between 0 and 1, such as 0.95")
    return value


def parse_number(field: str, text: str, *, zero: bool = False) -> float:
    """A positive, finite number; `zero` allows 0 too.

    >>> parse_number("--target", "1e-3")
    0.001
    """
    value = _parse_float(text)
    if value is None or not (value >= 0 if zero else value > 0) or value == math.inf:
        raise rejected(field, text, f"a finite number {'of at least' if zero else 'above'} 0")
    return value


def given(value: str | None, default: str) -> str:
    """The text of an option, or its default where it was not given."""
    return default if value is None else value


def _parse_float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def parse_choice(field: str, text: str, choices: Sequence[str]) -> str:
    """One of a few words.

    >>> parse_choice("--interval", "wilson", ["clopper-pearson", "wilson"])
    'wilson'
    """
    if text in choices:
        return text
    near = get_close_matches(text, choices, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise rejected(field, text, ", ".join(choices) + hint)


def parse_stragglers(field: str, text: str, num_clients: int) -> tuple[int, ...]:
    """One number of stragglers, or several after commas, each in 0 .. num_clients - 1.

    >>> parse_stragglers("--stragglers", "3,5,7", 10)
    (3, 5, 7)
    """
    values = []
    for part in text.split(","):
        try:
            values.append(parse_count(field, part.strip(), low=0, high=num_clients - 1))
        except UserError:
            allowed = f"whole numbers from 0 to {num_clients - 1} (clients - 1), such as 3 or 3,5,7"
            raise rejected(field, text, allowed) from None
    if len(set(values)) < len(values):
        raise rejected(field, text, "each number once")
    return tuple(values)
