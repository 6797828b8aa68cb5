"""Pictures of outcome probabilities, each estimate with its interval.

An estimate of zero events has no place on a logarithmic axis; it is drawn as an arrow that hangs
down from the upper end of its interval.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxcogc.figures.colours import COLOURS
from jaxcogc.figures.outcome_panels import draw_num_recovered, draw_outcomes
from jaxcogc.figures.style import draw_estimates, legend_entry, new_figure
from jaxcogc.outage.counts import Outcomes
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.outage_point import OutagePoint

_DECODERS = {
    "gc": ("gc (standard)", COLOURS["gc"], "o", 6.5, 27),
    "gc_plus": ("GC+", COLOURS["gc_plus"], "s", 7.5, 22),
    "row_space": ("row space", COLOURS["row_space"], "^", 5.0, 14),
}
"""Name, colour, marker, its size, length of arrows; sized so that equal values both show."""
_DASHES: Any = ("-", "--", ":")
"""Of the last curve, the one before, ...; markers of the last are filled."""


class OutageCurve(NamedTuple):
    """Points along an axis.

    Attributes:
        label: what tells this curve from the others of the picture ("2 attempts").
        points: [points], in the order of the axis.
        law: pairs (x, closed form) to draw the law through; empty: those of the points.
    """

    label: str
    points: Sequence[OutagePoint]
    law: Sequence[tuple[float, float]] = ()


def plot_outcomes(point: OutagePoint, *, title: str, caption: str) -> Figure:
    """The outcomes of one setting, and how many clients are recovered one by one.

    Args:
        point: the setting; its x is not used.
        title: what was simulated.
        caption: method and level of the intervals, number of trials.

    Returns:
        A figure of two panels: every outcome's probability with its interval and the closed form
        where one is known; the distribution of the number of recovered clients.
    """
    with new_figure(title, caption, height=4.9) as figure:
        left, right = figure.subplots(1, 2, width_ratios=[1.35, 1.0])
        draw_outcomes(left, point.outcomes, point.closed_form)
        draw_num_recovered(right, point.outcomes)
    return figure


def plot_outage_curves(
    curves: Sequence[OutageCurve], *, x_label: str, title: str, caption: str
) -> Figure:
    """Failure probabilities along an axis, for all three decoders.

    Args:
        curves: one set of points for each setting (such as a number of attempts), at most three.
        x_label: name (and unit) of the axis.
        title: what was simulated.
        caption: method and level of the intervals, number of trials.

    Returns:
        A figure of two panels with logarithmic probabilities: no exact average; nothing recovered
        at all. Bands are intervals; the closed form is a thin dark line through the points of gc.
    """
    with new_figure(title, caption, height=5.2) as figure:
        panels = figure.subplots(1, 2, sharey=True)
        for panel, failures, name in zip(
            panels,
            (Outcomes.outages, Outcomes.nothing_recovered),
            ("No exact average", "Nothing recovered: the model is held"),
            strict=True,
        ):
            panel.set_title(name)
            panel.set_yscale("log")
            for age, curve in enumerate(reversed(curves)):
                _draw_curve(panel, curve, age, failures)
            panel.set_xlabel(x_label)
            _tick_whole_numbers(panel, curves)
        panels[0].set_ylabel("probability per round")
        panels[0].set_ylim(_floor(curves), 1.4)
        figure.legend(handles=_legend(curves), loc="outside right upper")
    return figure


def _draw_curve(
    axes: Axes,
    curve: OutageCurve,
    age: int,
    failures: Callable[[Outcomes], dict[str, Estimate]],
) -> None:
    x = np.array([point.x for point in curve.points], dtype=float)
    estimates = [failures(point.outcomes) for point in curve.points]
    for decoder, (_, colour, marker, size, arrow) in _DECODERS.items():
        law = _law(curve) if decoder == "gc" else []
        draw_estimates(
            axes,
            x,
            [row[decoder] for row in estimates],
            arrow=arrow,
            linestyle="none" if law else _DASHES[age],
            marker=marker,
            ms=size,
            mfc="white" if age else colour,
            mec=colour if age else "white",
            color=colour,
        )
        if law:
            axes.plot(*zip(*law, strict=True), _DASHES[age], color="black", lw=1)


def _law(curve: OutageCurve) -> list[tuple[float, float]]:
    """The closed form where it is known and can stand on a logarithmic axis."""
    laws = [(p.x, p.closed_form.gc_outage) for p in curve.points]
    known = [(x, float(law)) for x, law in laws if law is not None]
    return [(x, value) for x, value in curve.law or known if value > 0]


def _tick_whole_numbers(axes: Axes, curves: Sequence[OutageCurve]) -> None:
    values = sorted({point.x for curve in curves for point in curve.points})
    if len(values) <= 16 and all(value == int(value) for value in values):
        axes.set_xticks(values)


def _floor(curves: Sequence[OutageCurve]) -> float:
    """Lower end of the axis: under everything that is drawn, arrows included."""
    lowest = 0.1
    for curve in curves:
        for point in curve.points:
            failures = (point.outcomes.outages(), point.outcomes.nothing_recovered())
            for e in (e for failure in failures for e in failure.values()):
                drawn = e.best if e.best > 0 else e.high / 3
                lowest = min(lowest, drawn) if drawn > 0 else lowest
    return lowest / 1.5


def _legend(curves: Sequence[OutageCurve]) -> list[Line2D]:
    entries = [
        legend_entry(marker, colour, label) for label, colour, marker, *_ in _DECODERS.values()
    ]
    for age, curve in enumerate(reversed(curves)):
        entries.append(
            legend_entry("o", COLOURS["note"], curve.label, filled=age == 0, dashes=_DASHES[age])
        )
    if any(_law(curve) for curve in curves):
        entries.append(legend_entry("", "black", "closed form of gc", dashes="-"))
    return entries
