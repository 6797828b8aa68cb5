"""Rows of a result table, filtered and sorted by what a user typed."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
Row = dict[str, Any]


def filter_rows(rows: Sequence[Row], condition: str) -> list[Row]:
    """The rows that meet a condition such as "attempts=2", "gc_outage<1e-3", "code!=uncoded".

    Raises:
      ValueError: no such column, or no condition; one line.

    >>> filter_rows([{"attempts": 1}, {"attempts": 2}], "attempts>=2")
    [{'attempts': 2}]
    """
    match = re.fullmatch(r"\s*([\w-]+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*", condition)
    if match is None:
        raise ValueError(f"{condition!r}: allowed is COLUMN=VALUE, with = != < <= > or >=")
    name, sign, text = match.groups()
    check_column(rows, name)
    compare = _COMPARE[sign]

    def holds(row: Row) -> bool:
        value = row[name]
        if value is None:
            return False
        if isinstance(value, bool) or not isinstance(value, int | float):
            return compare(_word(value), text.lower())
        try:
            return compare(float(value), float(text))
        except ValueError:
            raise ValueError(f"{condition!r}: allowed is a number for {name}") from None

    return [row for row in rows if holds(row)]


def sort_rows(rows: Sequence[Row], column: str) -> list[Row]:
    """The rows in ascending order of a column; descending for "-column". Nulls come last.

    >>> sort_rows([{"s": 1}, {"s": None}, {"s": 3}], "-s")
    [{'s': 3}, {'s': 1}, {'s': None}]
    """
    name = column.removeprefix("-")
    check_column(rows, name)
    known = [row for row in rows if row[name] is not None]
    known.sort(key=lambda row: row[name], reverse=column.startswith("-"))
    return known + [row for row in rows if row[name] is None]


def check_column(rows: Sequence[Row], name: str) -> None:
    """Raise ValueError unless the rows have such a column."""
    names = list(rows[0]) if rows else [name]
    if name not in names:
        near = get_close_matches(name, names, n=3)
        allowed = ", ".join(near or names[:12])
        raise ValueError(f"{name!r} is no column: allowed are {allowed}, ...")


def axes_of(rows: Sequence[Row]) -> list[str]:
    """The axes of the grid on which the rows differ, in their order."""
    axes = list(rows[0])[1 : list(rows[0]).index("watched")] if rows else []
    return [name for name in axes if len({str(row[name]) for row in rows}) > 1]


def _word(value: Any) -> str:
    return str(value).lower()
