"""Pictures of outcome probabilities, each estimate with its interval.

An estimate of zero events has no place on a logarithmic axis; it is drawn as an arrow that hangs
down from the upper end of its interval.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from jaxcogc.outage.counts import Outcomes
from jaxcogc.outage.intervals import Estimate, estimate
from jaxcogc.study.drawing import (
    GC,
    GC_PLUS,
    GREY,
    OTHER,
    ROW_SPACE,
    STYLE,
    digits,
    mark,
    new_figure,
    upper_bound,
)

_DECODERS = (
    ("gc (standard)", GC, "o", 6.5, 27),
    ("GC+", GC_PLUS, "s", 7.5, 22),
    ("row space", ROW_SPACE, "^", 5.0, 14),
)
"""Name, colour, marker, its size, length of arrows; sized so that equal values both show."""
_RARE = 0.02
"""Below this a linear axis hides what a logarithmic one shows."""
_DASHES: Any = ("-", "--", ":")
"""Of the last curve, the one before, ...; markers of the last are filled."""
_ROWS = (
    ("gc_outage", "gc: nothing recovered", GC, 0.0),
    ("gc_plus_full", "GC+: exact average", GC_PLUS, 1.4),
    ("gc_plus_partial", "GC+: average of some", GC_PLUS, 2.4),
    ("gc_plus_none", "GC+: nothing recovered", GC_PLUS, 3.4),
    ("row_space_exact", "row space: exact average", ROW_SPACE, 4.8),
    ("row_space_partial", "row space: average of some", ROW_SPACE, 5.8),
    ("row_space_none", "row space: nothing recovered", ROW_SPACE, 6.8),
    ("all_individuals", "every client's update known", OTHER, 8.2),
)


class OutagePoint(NamedTuple):
    """One simulated (or enumerated) setting.

    Attributes:
        x: its place on a horizontal axis (a number of stragglers, an erasure probability).
        outcomes: the probabilities, each with its interval.
        closed_form: the exact outage probability of standard decoding; None where no law is known.
    """

    x: float
    outcomes: Outcomes
    closed_form: float | None


class OutageCurve(NamedTuple):
    """Points along an axis.

    Attributes:
        label: what tells this curve from the others of the picture ("2 attempts").
        points: [points], in the order of the axis.
    """

    label: str
    points: Sequence[OutagePoint]


def plot_outcomes(point: OutagePoint, *, title: str, caption: str) -> Figure:
    """The outcomes of one setting, and how many clients are recovered one by one.

    Args:
        point: the setting; its x is not used.
        title: what was simulated.
        caption: method and level of the intervals, number of trials.

    Returns:
        A figure of two panels: every outcome's probability with its interval and, for standard
        decoding, the closed form; the distribution of the number of recovered clients.
    """
    with mpl.rc_context(STYLE):
        figure = new_figure(title, caption, height=4.9)
        left, right = figure.subplots(1, 2, width_ratios=[1.35, 1.0])
        _draw_outcomes(left, point)
        _draw_num_recovered(right, point.outcomes)
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
    with mpl.rc_context(STYLE):
        figure = new_figure(title, caption, height=5.2)
        panels = figure.subplots(1, 2, sharey=True)
        for panel, failures, name in zip(
            panels,
            (_no_exact_average, _nothing_recovered),
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


def _draw_outcomes(axes: Axes, point: OutagePoint) -> None:
    estimates: list[Estimate] = [getattr(point.outcomes, name) for name, *_ in _ROWS]
    shown = [e.best if e.best > 0 else e.high for e in estimates]
    positive = [value for value in shown if value > 0]
    logarithmic = min(positive) < _RARE
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(min(positive) / 3, 1.6)
    else:
        axes.set_xlim(0, 1.03)
    for (_, _, colour, y), value in zip(_ROWS, estimates, strict=True):
        if value.best == 0 and logarithmic:
            upper_bound(axes, (value.high, y), (-16, 0), colour, "|")
        else:
            spread = [[value.best - value.low], [value.high - value.best]]
            axes.errorbar(value.best, y, xerr=spread, fmt="o", ms=6, color=colour)
        _write_estimate(axes, y, value, colour)
    if point.closed_form:
        axes.plot(point.closed_form, _ROWS[0][3], "D", ms=11, mfc="none", mec="black", mew=1.1)
        axes.legend(
            handles=[mark("D", "black", "closed form", filled=False)],
            loc="lower right",
            bbox_to_anchor=(1.0, 0.97),
            handletextpad=0.1,
        )
    axes.set_yticks([y for *_, y in _ROWS], [label for _, label, *_ in _ROWS])
    for tick, (_, _, colour, _) in zip(axes.get_yticklabels(), _ROWS, strict=True):
        tick.set_color(colour)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(8.8, -0.6)
    axes.set_xlabel("probability per round")
    axes.set_title("What the server recovers")


def _write_estimate(axes: Axes, y: float, value: Estimate, colour: str) -> None:
    interval = f"[{digits(value.low)}, {digits(value.high)}]"
    for shift, text, style in (
        (8, digits(value), {"color": colour, "fontweight": "bold"}),
        (68, interval, {"color": GREY, "fontsize": 9}),
    ):
        axes.annotate(
            text,
            (1.0, y),
            xycoords=("axes fraction", "data"),
            xytext=(shift, 0),
            textcoords="offset points",
            va="center",
            **style,
        )


def _draw_num_recovered(axes: Axes, outcomes: Outcomes) -> None:
    pmf = outcomes.num_recovered_pmf
    numbers = np.arange(pmf.size)
    bars: list[Estimate] = [_pmf_estimate(value, outcomes) for value in pmf]
    spread = [[e.best - e.low for e in bars], [e.high - e.best for e in bars]]
    shown = pmf > 0
    axes.bar(numbers[shown], pmf[shown], color="#9DB7D5", width=0.8)
    axes.errorbar(
        numbers[shown],
        pmf[shown],
        yerr=np.array(spread)[:, shown],
        fmt="none",
        ecolor=GREY,
        capsize=2,
    )
    if pmf[shown].min() < _RARE:
        axes.set_yscale("log")
        axes.set_ylim(10 ** np.floor(np.log10(pmf[shown].min())), 1.4)
    axes.set_title(f"Clients recovered one by one\n(mean {numbers @ pmf:.3f})")
    axes.set_xlabel("number of clients")
    axes.set_ylabel("probability per round")
    axes.set_xlim(-0.7, pmf.size - 0.3)
    axes.grid(visible=False, axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _pmf_estimate(value: float, outcomes: Outcomes) -> Estimate:
    model = outcomes.gc_outage
    if outcomes.trials is None:
        return Estimate.exact(value)
    num_events = round(value * outcomes.trials)
    return estimate(num_events, outcomes.trials, level=model.level, interval=model.method)


def _draw_curve(
    axes: Axes,
    curve: OutageCurve,
    age: int,
    failures: Callable[[Outcomes], tuple[Estimate, Estimate, Estimate]],
) -> None:
    x = np.array([point.x for point in curve.points], dtype=float)
    laws = np.array([np.nan if p.closed_form is None else p.closed_form for p in curve.points])
    estimates = [failures(point.outcomes) for point in curve.points]
    for decoder, (_, colour, marker, size, arrow) in enumerate(_DECODERS):
        column = [row[decoder] for row in estimates]
        best, low, high = (
            np.array([getattr(e, a) for e in column]) for a in ("best", "low", "high")
        )
        seen = best > 0
        known = decoder == 0 and bool(np.isfinite(laws).all())
        axes.fill_between(
            x, np.where(low > 0, low, high * 1e-3), high, where=seen, color=colour, alpha=0.22, lw=0
        )
        axes.plot(
            x,
            np.where(seen, best, np.nan),
            linestyle="none" if known else _DASHES[age],
            marker=marker,
            ms=size,
            mfc="white" if age else colour,
            mec=colour if age else "white",
            color=colour,
        )
        if known:
            axes.plot(x, np.where(laws > 0, laws, np.nan), _DASHES[age], color="black", lw=1)
        for where, bound in zip(x[~seen], high[~seen], strict=True):
            if bound > 0:
                upper_bound(axes, (where, bound), (0, -arrow), colour, "_")


def _no_exact_average(outcomes: Outcomes) -> tuple[Estimate, Estimate, Estimate]:
    return (
        outcomes.gc_outage,
        _complement(outcomes.gc_plus_full),
        _complement(outcomes.row_space_exact),
    )


def _nothing_recovered(outcomes: Outcomes) -> tuple[Estimate, Estimate, Estimate]:
    return outcomes.gc_outage, outcomes.gc_plus_none, outcomes.row_space_none


def _complement(value: Estimate) -> Estimate:
    low, best, high = 1 - value.high, 1 - value.best, 1 - value.low
    return Estimate(low, best, high, method=value.method, level=value.level)


def _tick_whole_numbers(axes: Axes, curves: Sequence[OutageCurve]) -> None:
    values = sorted({point.x for curve in curves for point in curve.points})
    if len(values) <= 16 and all(value == int(value) for value in values):
        axes.set_xticks(values)


def _floor(curves: Sequence[OutageCurve]) -> float:
    """Lower end of the axis: under everything that is drawn, arrows included."""
    lowest = 0.1
    for curve in curves:
        for point in curve.points:
            for e in (*_no_exact_average(point.outcomes), *_nothing_recovered(point.outcomes)):
                drawn = e.best if e.best > 0 else e.high / 3
                lowest = min(lowest, drawn) if drawn > 0 else lowest
    return lowest / 1.5


def _legend(curves: Sequence[OutageCurve]) -> list[Line2D]:
    entries = [mark(marker, colour, label) for label, colour, marker, *_ in _DECODERS]
    for age, curve in enumerate(reversed(curves)):
        entries.append(mark("o", GREY, curve.label, filled=age == 0, dashes=_DASHES[age]))
    if any(point.closed_form is not None for curve in curves for point in curve.points):
        entries.append(mark("", "black", "closed form of gc", dashes="-"))
    return entries
