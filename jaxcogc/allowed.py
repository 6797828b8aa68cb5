"""What a single value may be: checks that the command line, config files and study files share.

An `Allowed` reads what a user typed (`read`, from text) or wrote in a file (`check`, a typed value:
true is no number, and "0.4" is none either) and returns the checked value, or raises `NotAllowed`
with what is allowed in words. No JAX here: most mistakes are told before it is imported.

>>> PROBABILITY.read("0.4"), whole(1, 10**9).read("1e6"), choice(("hold", "repeat")).check("hold")
(0.4, 1000000, 'hold')
>>> PROBABILITY.check(True)
Traceback (most recent call last):
jaxcogc.allowed.NotAllowed: True: allowed is a probability in [0, 1]
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

T = TypeVar("T")

MAX_CLIENTS = 128
"""The numbering of random words has room for 1024; the compiled programs have not."""
MAX_ATTEMPTS = 4096
MAX_TRIALS = 10**13
"""Within what the block numbers of a run can hold."""
MAX_SEED = 2**32 - 1
"""Of a larger seed JAX keeps the low 32 bits, or more in 64-bit mode: it would mean two things."""


class NotAllowed(ValueError):
    """A value that is not allowed.

    Attributes:
      value: what was given.
      allowed: what is, in words.
    """

    def __init__(self, value: object, allowed: str) -> None:
        super().__init__(f"{value if value != '' else repr('')}: allowed is {allowed}")
        self.value, self.allowed = value, allowed


@dataclasses.dataclass(frozen=True)
class Allowed(Generic[T]):
    """A kind of values.

    Attributes:
      words: what is allowed, as in "allowed is ...".
      convert: from a typed value to the one that is used; None where it is not allowed.
      parse: from text to a typed value; None for text that says none.
      note: added to the words where text was read.
      near: words of which a misspelt one may be meant.
    """

    words: str
    convert: Callable[[Any], T | None]
    parse: Callable[[str], Any] = str
    note: str = ""
    near: Sequence[str] = ()

    def check(self, value: Any) -> T:
        """A typed value, as a file holds it (NotAllowed otherwise)."""
        found = self.convert(value)
        if found is None:
            raise NotAllowed(value, self.words + self._hint(value))
        return found

    def read(self, text: str) -> T:
        """A value as it was typed on the command line (NotAllowed otherwise)."""
        found = self.convert(self.parse(text))
        if found is None:
            raise NotAllowed(text, self.words + self.note + self._hint(text))
        return found

    def _hint(self, value: Any) -> str:
        meant = get_close_matches(value, self.near, n=1) if isinstance(value, str) else []
        return f" (did you mean {meant[0]!r}?)" if meant else ""


def whole(low: int, high: int) -> Allowed[int]:
    """Whole numbers in low .. high, also in the forms 1e6 and 1_000_000."""

    def convert(value: Any) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return None
        # The size is compared first: int(Decimal("1e999999999")) would take all memory.
        inside = math.isfinite(value) and low <= value <= high
        return int(value) if inside and value == int(value) else None

    return Allowed(
        f"a whole number from {low} to {high:,}",
        convert,
        _decimal,
        " (1e6 and 1_000_000 are read)" if high >= 10**6 and low else "",
    )


def power_of_two(high: int) -> Allowed[int]:
    """1, 2, 4, .. high.

    >>> power_of_two(2**14).read("1024")
    1024
    """
    counts = whole(1, high)

    def convert(value: Any) -> int | None:
        number = counts.convert(value)
        return number if number is not None and number & (number - 1) == 0 else None

    return Allowed(f"a power of two up to {high:,}", convert, _decimal)


def number(low: float, high: float, words: str, *, ends: str = "[]") -> Allowed[float]:
    """Numbers between two ends, each of which belongs to them or not: "[]", "(]", "[)" or "()"."""

    def convert(value: Any) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        above = low <= value if ends[0] == "[" else low < value
        below = value <= high if ends[1] == "]" else value < high
        return float(value) + 0.0 if above and below else None  # -0.0 becomes 0.0: they are one

    return Allowed(words, convert, _float)


def choice(choices: Sequence[str], *, keep: Callable[[str], str] = str) -> Allowed[str]:
    """One of a few words.

    Args:
      choices: as users spell them.
      keep: from that to the spelling inside.

    >>> choice(("clopper-pearson", "wilson")).read("wilso")
    Traceback (most recent call last):
    jaxcogc.allowed.NotAllowed: wilso: allowed is clopper-pearson, wilson (did you mean 'wilson'?)
    """

    def convert(value: Any) -> str | None:
        return keep(value) if isinstance(value, str) and value in choices else None

    return Allowed(", ".join(choices), convert, near=tuple(choices))


def either(word: str, other: Allowed[T]) -> Allowed[str | T]:
    """A word, or a value of another kind.

    >>> either("all", whole(1, 100)).read("all")
    'all'
    """

    def convert(value: Any) -> str | T | None:
        return word if value == word else other.convert(value)

    def parse(text: str) -> Any:
        return word if text == word else other.parse(text)

    return Allowed(f"{other.words}, or {word}", convert, parse)


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


_INCHES = {"": 1.0, "in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4}


def _length(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(in|cm|mm|)\s*", str(value))
    if match is None:
        return None
    inches = float(match.group(1)) * _INCHES[match.group(2)]
    return inches if 0.5 <= inches <= 100 else None


def _exactly(kind: type[T]) -> Callable[[Any], T | None]:
    return lambda value: value if type(value) is kind else None


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


def _duration(value: Any) -> float | None:
    if not isinstance(value, str) or _DURATION.sub("", value).strip():
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(value)) or None


_SHARD = re.compile(r"(\d{1,6})/(\d{1,6})")


def _shard(value: Any) -> tuple[int, int] | None:
    found = _SHARD.fullmatch(str(value))
    part, parts = map(int, found.groups()) if found else (0, 0)
    return (part, parts) if 1 <= part <= parts else None


PROBABILITY = number(0, 1, "a probability in [0, 1]")
LEVEL = number(0, 1, "a confidence level strictly between 0 and 1, such as 0.95", ends="()")
LENGTH = Allowed("a length from 0.5 to 100 inches, such as 3.5, 88mm or 8.8cm", _length)
"""In inches.

>>> LENGTH.read("3.5"), round(LENGTH.read("88mm"), 3), LENGTH.read("2in")
(3.5, 3.465, 2.0)
"""
LETTERS = number(3, 72, "a size of letters from 3 to 72 points")
INSIDE = number(0, 1, "a number strictly between 0 and 1", ends="()")
POSITIVE = number(0, math.inf, "a finite number above 0", ends="()")
NOT_NEGATIVE = number(0, math.inf, "a finite number of at least 0", ends="[)")
DURATION = Allowed("a duration such as 90s, 10m, 1h30m", _duration)
"""In seconds.

>>> DURATION.read("1h30m"), DURATION.read("0.5s")
(5400.0, 0.5)
"""
SHARD = Allowed("I/N with I from 1 to N, such as 2/8", _shard)
TEXT = Allowed("a text", _exactly(str))
SWITCH = Allowed("true and false", _exactly(bool))
CORRELATION = number(0, 1, "a correlation in [0, 1]")
BURST = number(1, math.inf, "a finite number of at least 1", ends="[)")
"""A mean number of attempts."""
CLIENTS = whole(1, MAX_CLIENTS)
ATTEMPTS = whole(1, MAX_ATTEMPTS)
TRIALS = whole(1, MAX_TRIALS)
SEED = whole(0, MAX_SEED)
