"""Which curves a table of results holds: x axis, curves and panels by the names of axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxcogc.names import OUTCOMES
from jaxcogc.number_text import level_text, value_text
from jaxcogc.study.results.filters import Row, axes_of

MAX_CURVES = 16


class Mark(NamedTuple):
    """An estimate on a curve; `law` is the closed form where there is one."""

    x: Any
    best: float
    low: float
    high: float
    method: str
    reason: str
    trials: int
    point: str
    law: float | None


class Curve(NamedTuple):
    """Estimates of one outcome along the x axis; a point that was not run has no mark."""

    label: str
    outcome: str
    marks: tuple[Mark, ...]


class Panel(NamedTuple):
    """Curves that share axes."""

    title: str
    curves: tuple[Curve, ...]


class Layout(NamedTuple):
    """What a picture shows: `x` and the axes that tell curves and panels apart."""

    x: str
    curves: tuple[str, ...]
    panels: str | None
    outcomes: tuple[str, ...]


def layout_of(
    rows: Sequence[Row],
    *,
    x: str | None = None,
    curves: Sequence[str] | None = None,
    panels: str | None = None,
    outcomes: Sequence[str] | None = None,
) -> Layout:
    """The layout asked for, and a sensible choice of whatever was not.

    Raises:
      ValueError: a name that is no axis, an axis used twice, or one on which the rows differ and
        that nothing shows.
    """
    names = list(rows[0])[1 : list(rows[0]).index("watched")]
    varying = axes_of(rows)
    for name in (x, panels, *(curves or ())):
        if name is not None and name not in names:
            raise ValueError(f"{name!r} is no axis: allowed are {', '.join(names)}")
    used = [name for name in (x, panels, *(curves or ())) if name is not None]
    if len(set(used)) < len(used):
        raise ValueError(f"{', '.join(used)}: allowed is each axis once")
    free = [name for name in varying if name not in used]
    if x is None:
        numeric = [name for name in free if _is_numeric(rows, name)] or free or ["stragglers"]
        x = max(numeric, key=lambda name: len({str(row[name]) for row in rows}))
    rest = [name for name in free if name != x]
    if curves is None:
        curves = rest
    elif rest:
        raise ValueError(
            f"the points differ in {rest[0]} too: name it with --curves or --panels, or fix it, as "
            f"in --filter {rest[0]}={rows[0][rest[0]]}"
        )
    watched = tuple(dict.fromkeys(row["watched"] for row in rows))
    chosen = tuple(outcomes or watched)
    for outcome in chosen:
        if outcome not in OUTCOMES:
            raise ValueError(f"{outcome!r} is no outcome: allowed are {', '.join(OUTCOMES)}")
    return Layout(x, tuple(curves), panels, chosen)


def panels_of(rows: Sequence[Row], layout: Layout) -> list[Panel]:
    """The panels of a picture, in the order of the table.

    Raises:
      ValueError: more curves in a panel than can be told apart.
    """
    titles = list(dict.fromkeys(_title(row, layout) for row in rows))
    panels = []
    for title in titles:
        curves = _curves([row for row in rows if _title(row, layout) == title], layout)
        if len(curves) > MAX_CURVES:
            raise ValueError(
                f"{len(curves)} curves in one panel: allowed is at most {MAX_CURVES}; use --panels "
                "or --filter"
            )
        panels.append(Panel(title, tuple(curves)))
    return panels


def _curves(rows: Sequence[Row], layout: Layout) -> list[Curve]:
    grouped: dict[tuple[str, str], list[Mark]] = {}
    for outcome in layout.outcomes:
        for row in rows:
            words = [f"{name} {value_text(row[name])}" for name in layout.curves]
            if len(layout.outcomes) > 1:
                words.insert(0, outcome)
            marks = grouped.setdefault((", ".join(words) or outcome, outcome), [])
            if row[outcome] is not None and row[layout.x] is not None:
                marks.append(_mark(row, outcome, layout.x))
    return [
        Curve(label, outcome, tuple(sorted(marks, key=lambda mark: mark.x)))
        for (label, outcome), marks in grouped.items()
        if marks
    ]


def _mark(row: Row, outcome: str, x: str) -> Mark:
    return Mark(
        row[x],
        row[outcome],
        row[f"{outcome}_low"],
        row[f"{outcome}_high"],
        row[f"{outcome}_method"],
        row["reason"],
        row["trials"],
        row["point"],
        row["gc_outage_closed_form"] if outcome == "gc_outage" else None,
    )


def _title(row: Row, layout: Layout) -> str:
    return "" if layout.panels is None else f"{layout.panels} {value_text(row[layout.panels])}"


def _is_numeric(rows: Sequence[Row], name: str) -> bool:
    values = [row[name] for row in rows]
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def caption_of(rows: Sequence[Row], layout: Layout) -> str:
    """Method, level, reason for stopping and trials of all that is drawn, in a line."""
    marks = [mark for panel in panels_of(rows, layout) for c in panel.curves for mark in c.marks]
    methods = ", ".join(dict.fromkeys(mark.method for mark in marks))
    level = level_text(*(row["level"] for row in rows))
    reasons = ", ".join(dict.fromkeys(mark.reason for mark in marks))
    trials = sorted({mark.trials for mark in marks})
    number = f"{trials[0]:,}" + (f" to {trials[-1]:,}" if len(trials) > 1 else "")
    return f"{level} intervals: {methods} · stopped by {reasons} · {number} trials a point"
