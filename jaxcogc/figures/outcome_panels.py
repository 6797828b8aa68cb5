"""The two panels that show one setting: every outcome, and the number of recovered clients."""

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from jaxcogc.figures.colours import COLOURS
from jaxcogc.figures.estimates import draw_bound_arrow, mark_scale
from jaxcogc.figures.look import Scale
from jaxcogc.figures.style import legend_entry
from jaxcogc.names import INTERVALS
from jaxcogc.number_text import probability_text
from jaxcogc.outage.counts import Outcomes
from jaxcogc.outage.intervals import Estimate, estimate
from jaxcogc.outage.laws.closed_form import ClosedForm

_ROWS = (
    ("gc_outage", "gc: no exact average", COLOURS["gc"], 0.0),
    ("gc_plus_outage", "GC+: no exact average", COLOURS["gc_plus"], 1.0),
    ("row_space_outage", "row space: no exact average", COLOURS["row_space"], 2.0),
    ("gc_plus_full", "GC+: exact average", COLOURS["gc_plus"], 3.4),
    ("gc_plus_partial", "GC+: average of some", COLOURS["gc_plus"], 4.4),
    ("gc_plus_none", "GC+: nothing recovered", COLOURS["gc_plus"], 5.4),
    ("row_space_exact", "row space: exact average", COLOURS["row_space"], 6.8),
    ("row_space_partial", "row space: average of some", COLOURS["row_space"], 7.8),
    ("row_space_none", "row space: nothing recovered", COLOURS["row_space"], 8.8),
    ("all_individuals", "every client's update known", COLOURS["other"], 10.2),
)
_RARE = 0.02
"""Below this a linear axis hides what a logarithmic one shows."""
_NO_LAWS = ClosedForm(None)


def draw_outcomes(
    axes: Axes,
    outcomes: Outcomes,
    laws: ClosedForm = _NO_LAWS,
    *,
    xscale: Scale | None = None,
    numbers: bool = True,
) -> Axes:
    """The probability of every outcome, its interval, and the closed form where one is known.

    Args:
      axes: to draw in.
      outcomes: the probabilities.
      laws: what is known exactly.
      xscale: of the probabilities; None: log where one of them is small.
      numbers: write them at the right too, outside of the axes.

    Returns:
      The axes.
    """
    estimates: list[Estimate] = [getattr(outcomes, name) for name, *_ in _ROWS]
    shown = [e.best if e.best > 0 else e.high for e in estimates]
    positive = [value for value in shown if value > 0]
    logarithmic = min(positive) < _RARE if xscale is None else xscale == "log"
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(min(positive) / 3, 1.6)
    else:
        axes.set_xlim(0, 1.03)
    for (_, _, colour, y), value in zip(_ROWS, estimates, strict=True):
        if value.best == 0 and logarithmic:
            draw_bound_arrow(axes, (value.high, y), (-16, 0), colour, "|")
        else:
            spread = [[value.best - value.low], [value.high - value.best]]
            axes.errorbar(value.best, y, xerr=spread, fmt="o", ms=6 * mark_scale(), color=colour)
        if numbers:
            _write_estimate(axes, y, value, colour)
    known = [(getattr(laws, name, None), y) for name, _, _, y in _ROWS]
    drawn = [(law, y) for law, y in known if law]
    if drawn:
        look: Any = {"ms": 11 * mark_scale(), "mfc": "none", "mec": "black", "mew": 1.1}
        axes.plot(*zip(*drawn, strict=True), "D", **look)
        above: Any = {"loc": "lower right", "bbox_to_anchor": (1.0, 0.97)} if numbers else {}
        entry = legend_entry("D", "black", "closed form", filled=False)
        axes.legend(handles=[entry], handletextpad=0.1, **above)
    axes.set_yticks([y for *_, y in _ROWS], [label for _, label, *_ in _ROWS])
    for tick, (_, _, colour, _) in zip(axes.get_yticklabels(), _ROWS, strict=True):
        tick.set_color(colour)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(10.8, -0.6)
    axes.set_xlabel("probability per round")
    axes.set_title("What the server recovers")
    return axes


def _write_estimate(axes: Axes, y: float, value: Estimate, colour: str) -> None:
    best, low, high = (probability_text(x, digits=4) for x in (value, value.low, value.high))
    size = mpl.rcParams["font.size"]
    for shift, text, style in (
        (0.8 * size, best, {"color": colour, "fontweight": "bold"}),
        (6.5 * size, f"[{low}, {high}]", {"color": COLOURS["note"], "fontsize": 0.86 * size}),
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


def draw_num_recovered(axes: Axes, outcomes: Outcomes, *, yscale: Scale | None = None) -> Axes:
    """The distribution of the number of clients recovered one by one, with intervals.

    Args:
      axes: to draw in.
      outcomes: the probabilities.
      yscale: of the probabilities; None: log where one of them is small.

    Returns:
      The axes.
    """
    pmf = outcomes.num_recovered_pmf
    numbers = np.arange(pmf.size)
    bars: list[Estimate] = [_pmf_estimate(value, outcomes) for value in pmf]
    spread = np.array([[e.best - e.low for e in bars], [e.high - e.best for e in bars]])
    shown = pmf > 0
    axes.bar(numbers[shown], pmf[shown], color="#9DB7D5", width=0.8)
    if spread.any():
        axes.errorbar(
            numbers[shown],
            pmf[shown],
            yerr=spread[:, shown],
            fmt="none",
            ecolor=COLOURS["note"],
            capsize=2,
        )
    if pmf[shown].min() < _RARE if yscale is None else yscale == "log":
        axes.set_yscale("log")
        axes.set_ylim(10 ** np.floor(np.log10(pmf[shown].min())), 1.4)
    axes.set_title(f"Clients recovered one by one\n(mean {numbers @ pmf:.3f})")
    axes.set_xlabel("number of clients")
    axes.set_ylabel("probability per round")
    axes.set_xlim(-0.7, pmf.size - 0.3)
    axes.grid(visible=False, axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return axes


def _pmf_estimate(value: float, outcomes: Outcomes) -> Estimate:
    model = outcomes.gc_outage
    counted = model.method in INTERVALS
    if outcomes.trials is None or outcomes.plain_trials_worth is not None or not counted:
        return Estimate.exact(value)  # no trials, strata or weights: intervals of outcomes alone
    num_events = round(value * outcomes.trials)
    return estimate(num_events, outcomes.trials, level=model.level, interval=model.method)
