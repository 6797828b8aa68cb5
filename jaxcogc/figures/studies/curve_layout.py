"""Which curves a table of results holds: x axis, curves and panels by the names of axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxcogc.figures.labels import outcome_label, setting_label
from jaxcogc.names import EVENTS
from jaxcogc.number_text import level_text
from jaxcogc.outage.intervals import Estimate
from jaxcogc.study.results.law_between import law_between
from jaxcogc.study.results.point_results import PointResult
from jaxcogc.study.results.result_table import ResultTable
from jaxcogc.study.specification.point import Value

MAX_CURVES = 16


class Mark(NamedTuple):
    """An estimate on a curve; `law` is the closed form where there is one."""

    x: str | int | float
    estimate: Estimate
    result: PointResult
    law: float | None


class Curve(NamedTuple):
    """Estimates of one outcome along the x axis; a point that was not run has no mark.

    Attributes:
      outcome: which one.
      setting: where its points stand on the axes that tell curves apart.
      label: both in words, as far as other curves differ.
      marks: in ascending order.
    """

    outcome: str
    setting: tuple[tuple[str, Value], ...]
    label: str
    marks: tuple[Mark, ...]

    def law(self, axis: str) -> list[tuple[float, float]]:
        """The closed form along a numeric axis, between the marks too; empty for words."""
        known = [mark.result for mark in self.marks if mark.law is not None]
        return law_between(known, axis) if len(known) == len(self.marks) else []


class Panel(NamedTuple):
    """Curves that share axes."""

    title: str
    curves: tuple[Curve, ...]

    @property
    def marks(self) -> list[Mark]:
        """Of all curves."""
        return [mark for curve in self.curves for mark in curve.marks]


class Layout(NamedTuple):
    """What a picture shows: `x` and the axes that tell curves and panels apart."""

    x: str
    curves: tuple[str, ...]
    panels: str | None
    outcomes: tuple[str, ...]


def layout_of(
    table: ResultTable,
    *,
    x: str | None = None,
    curves: Sequence[str] | None = None,
    panels: str | None = None,
    outcomes: Sequence[str] | None = None,
) -> Layout:
    """The layout asked for, and a sensible choice of whatever was not.

    Raises:
      ValueError: a name that is no axis, an axis used twice, or one on which the points differ and
        that nothing shows.
    """
    used = [name for name in (x, panels, *(curves or ())) if name is not None]
    for name in used:
        if name not in table.axes:
            raise ValueError(f"{name!r} is no axis: allowed are {', '.join(table.axes)}")
    if len(set(used)) < len(used):
        raise ValueError(f"{', '.join(used)}: allowed is each axis once")
    free = [name for name in table.varying_axes if name not in used]
    if x is None:
        numeric = [name for name in free if is_numeric(table.values(name))]
        x = max(numeric or free or ["stragglers"], key=lambda name: len(table.values(name)))
    rest = [name for name in free if name != x]
    if curves is None:
        curves = rest
    elif rest:
        value = table.results[0].label(rest[0])
        raise ValueError(
            f"the points differ in {rest[0]} too: name it with --curves or --panels, or fix it, as "
            f"in --filter {rest[0]}={value}"
        )
    chosen = tuple(outcomes or table.watched)
    for outcome in chosen:
        if outcome not in EVENTS:
            raise ValueError(f"{outcome!r} is no outcome: allowed are {', '.join(EVENTS)}")
    return Layout(x, tuple(curves), panels, chosen)


def panels_of(table: ResultTable, layout: Layout) -> list[Panel]:
    """The panels of a picture, in the order of the table.

    Raises:
      ValueError: more curves in a panel than can be told apart.
    """
    members: dict[str, list[PointResult]] = {}
    for result in table.results:
        title = setting_text(result, [layout.panels] if layout.panels else [])
        members.setdefault(title, []).append(result)
    panels = []
    for title, results in members.items():
        curves = _curves(results, layout)
        if len(curves) > MAX_CURVES:
            raise ValueError(
                f"{len(curves)} curves in one panel: allowed is at most {MAX_CURVES}; use --panels "
                "or --filter"
            )
        panels.append(Panel(title, tuple(curves)))
    return panels


def _curves(results: Sequence[PointResult], layout: Layout) -> list[Curve]:
    grouped: dict[tuple[str, tuple[tuple[str, Value], ...]], list[Mark]] = {}
    for outcome in layout.outcomes:
        for result in results:
            setting = tuple((name, result.label(name)) for name in layout.curves)
            marks = grouped.setdefault((outcome, setting), [])
            estimate, x = result.estimates.get(outcome), result.label(layout.x)
            law = result.closed_form if outcome == "gc_outage" else None
            if estimate is not None and x is not None:
                marks.append(Mark(x, estimate, result, law))
    return [
        Curve(
            outcome,
            setting,
            _label(outcome, setting, layout),
            tuple(sorted(marks, key=lambda mark: mark.x)),
        )
        for (outcome, setting), marks in grouped.items()
        if marks
    ]


def _label(outcome: str, setting: Sequence[tuple[str, Value]], layout: Layout) -> str:
    words = [setting_label(name, value) for name, value in setting]
    if len(layout.outcomes) > 1 or not layout.curves:
        words.insert(0, outcome_label(outcome))
    return ", ".join(words)


def setting_text(result: PointResult, axes: Sequence[str]) -> str:
    """Where a point stands on some axes, in words."""
    return ", ".join(setting_label(name, result.label(name)) for name in axes)


def thresholds_of(panels: Sequence[Panel], layout: Layout) -> list[float]:
    """The probabilities below which the rules of the points wanted to know the drawn outcomes."""
    rules = [mark.result.rule for panel in panels for mark in panel.marks]
    drawn = [rule for rule in rules if rule.outcome in layout.outcomes]
    return sorted({rule.decide_below for rule in drawn if rule.decide_below is not None})


def is_numeric(values: Sequence[Value]) -> bool:
    """Whether all of them are numbers."""
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def caption_of(table: ResultTable, panels: Sequence[Panel]) -> str:
    """Method, level, reason for stopping and trials of all that is drawn, in a line."""
    marks = [mark for panel in panels for mark in panel.marks]
    methods = ", ".join(dict.fromkeys(mark.estimate.method for mark in marks))
    reasons = ", ".join(dict.fromkeys(mark.result.reason for mark in marks))
    trials = sorted({mark.result.trials for mark in marks})
    number = f"{trials[0]:,}" + (f" to {trials[-1]:,}" if len(trials) > 1 else "")
    level = level_text(*table.levels)
    return f"{level} intervals: {methods} · stopped by {reasons} · {number} trials a point"
