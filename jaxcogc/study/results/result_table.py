"""The results of a store as a table that knows its axes: a line for each point."""

from __future__ import annotations

import dataclasses
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import Any, NamedTuple, Self

from jaxcogc.names import EVENTS, GAINS
from jaxcogc.number_text import value_text
from jaxcogc.outage.intervals import Estimate
from jaxcogc.study.results.origins import Origin, read_origins
from jaxcogc.study.results.point_results import PointResult, difference, read_results
from jaxcogc.study.specification.point import Value, axes_of, values_on
from jaxcogc.study.store.store import Store

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}


class Difference(NamedTuple):
    """How much likelier an outcome is at a point than at another.

    Attributes:
      versus: the identity of the other point.
      outcome: which one.
      estimate: of the difference; None where the two have too few common blocks.
    """

    versus: str
    outcome: str
    estimate: Estimate | None


@dataclasses.dataclass(frozen=True)
class ResultTable:
    """Points and their results.

    Attributes:
      axes: of the grid, in their order.
      results: one for each line, in order.
      origins: by point, what depends on the machine.
      differences: by point, where the points were compared with one of them.
    """

    axes: tuple[str, ...]
    results: tuple[PointResult, ...]
    origins: Mapping[str, Origin]
    differences: Mapping[str, Difference] = dataclasses.field(default_factory=dict)

    @cached_property
    def rows(self) -> list[dict[str, Value]]:
        """The lines as plain values by column, all with the same columns; null where no number."""
        return [self._row(result) for result in self.results]

    @property
    def varying_axes(self) -> list[str]:
        """The axes on which the points differ."""
        return [name for name in self.axes if len(self.values(name)) > 1]

    @property
    def watched(self) -> list[str]:
        """The outcomes that the points' rules look at, each once."""
        return list(dict.fromkeys(result.watched for result in self.results))

    @property
    def levels(self) -> list[float]:
        """The confidence levels of the intervals, each once."""
        return list(dict.fromkeys(result.rule.level for result in self.results))

    @property
    def counted(self) -> Self:
        """The points of which something was counted."""
        return self.only(result for result in self.results if result.trials)

    def values(self, axis: str) -> list[Value]:
        """Where the points stand on an axis, each value once."""
        return values_on(axis, (result.point for result in self.results))

    def only(self, results: Iterable[PointResult]) -> Self:
        """The table of some of the points."""
        return dataclasses.replace(self, results=tuple(results))

    def where(self, condition: str) -> Self:
        """The points that meet a condition such as "attempts=2", "gc_outage<1e-3", "code!=uncoded".

        Raises:
          ValueError: no such column, or no condition; one line.
        """
        match = re.fullmatch(r"\s*([\w-]+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*", condition)
        if match is None:
            raise ValueError(f"{condition!r}: allowed is COLUMN=VALUE, with = != < <= > or >=")
        name, sign, text = match.groups()
        compare, cells = _COMPARE[sign], self._column(name)
        # Small or capital letters are alike, unless two names differ in them.
        same: Callable[[str], str] = str if text in cells else str.lower

        def holds(value: Value) -> bool:
            if value is None:
                return False
            if isinstance(value, bool | str):
                return compare(same(value_text(value)), same(text))
            try:
                return compare(float(value), float(text))
            except ValueError:
                raise ValueError(f"{condition!r}: allowed is a number for {name}") from None

        return self.only(r for r, value in zip(self.results, cells, strict=True) if holds(value))

    def sorted_by(self, column: str) -> Self:
        """In ascending order of a column; descending for "-column". Nulls come last.

        Raises:
          ValueError: no such column; one line.
        """
        cells: list[Any] = self._column(column.removeprefix("-"))
        known = [place for place, value in enumerate(cells) if value is not None]
        known.sort(key=lambda place: cells[place], reverse=column.startswith("-"))
        unknown = [place for place, value in enumerate(cells) if value is None]
        return self.only(self.results[place] for place in known + unknown)

    def compared(self, store: Store, reference: PointResult, outcome: str | None) -> Self:
        """With columns for each point's probability less that of one point.

        Args:
          store: where the points come from.
          reference: the one point.
          outcome: of which the probabilities are; None means that which a point's rule watches.
        """
        found = {}
        for result in self.results:
            name = outcome or result.watched
            estimate = difference(store, result, reference, name)
            found[result.point.id] = Difference(reference.point.id, name, estimate)
        return dataclasses.replace(self, differences=found)

    def _column(self, name: str) -> list[Value]:
        columns = list(self.rows[0]) if self.rows else [name]
        if name not in columns:
            near = get_close_matches(name, columns, n=3)
            allowed = ", ".join(near or columns[:12])
            raise ValueError(f"{name!r} is no column: allowed are {allowed}, ...")
        return [row[name] for row in self.rows]

    def _row(self, result: PointResult) -> dict[str, Value]:
        id, labels = result.point.id, result.point.labels
        row: dict[str, Value] = {
            "point": id,
            **{name: labels.get(name) for name in self.axes},
            "watched": result.watched,
            "reason": result.reason,
            "trials": result.trials,
            "event_trial": result.event_trial,
            "level": result.rule.level,
        }
        for name in (*EVENTS, *GAINS):
            row |= _estimate_cells(name, result.estimates.get(name))
        row["gc_outage_closed_form"] = result.closed_form
        row["mean_rank"], row["mean_recovered"] = result.mean_rank, result.mean_recovered
        row |= self.origins.get(id, Origin())._asdict()
        if id in self.differences:
            versus, outcome, estimate = self.differences[id]
            row |= {"versus": versus, "versus_outcome": outcome}
            row |= _estimate_cells("difference", estimate)
        return row


def _estimate_cells(name: str, found: Estimate | None) -> dict[str, Value]:
    values = (None,) * 4 if found is None else (found.best, found.low, found.high, found.method)
    return dict(zip((name, f"{name}_low", f"{name}_high", f"{name}_method"), values, strict=True))


def read_table(store: Store) -> ResultTable:
    """All points of a store, in the order of their grid."""
    results = read_results(store)
    axes = axes_of(result.point for result in results)
    return ResultTable(axes, tuple(results), read_origins(store))
