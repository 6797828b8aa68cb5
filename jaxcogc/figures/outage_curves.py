"""Pictures of outcome probabilities, each estimate with its interval.

An estimate of zero events has no place on a logarithmic axis; it is drawn as an arrow that hangs
down from the upper end of its interval.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from jaxcogc.figures.colours import COLOURS
from jaxcogc.figures.estimates import draw_estimates, draw_law, mark_scale
from jaxcogc.figures.look import Look, Scale
from jaxcogc.figures.outcome_panels import draw_num_recovered, draw_outcomes
from jaxcogc.figures.style import Figure, legend_entry, new_figure, place_legend
from jaxcogc.outage.counts import Outcomes
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.outage_point import OutagePoint


class _DecoderLook(NamedTuple):
    """Of a decoder's curve: name, colour, marker and its size, length of arrows, width of the line;
    equal curves are both seen."""

    label: str
    colour: str
    marker: str
    size: float
    arrow: int
    width: float


_DECODERS = {
    "gc": _DecoderLook("gc (standard)", COLOURS["gc"], "o", 6.5, 27, 1.8),
    "gc_plus": _DecoderLook("GC+", COLOURS["gc_plus"], "s", 7.5, 22, 3.6),
    "row_space": _DecoderLook("row space", COLOURS["row_space"], "^", 5.0, 14, 1.4),
}
_DASHES: Any = ("-", "--", ":")
"""Of the last curve, the one before, ...; markers of the last are filled."""
Failure = Literal["no exact average", "nothing recovered"]
"""What a panel shows the probability of."""
_PANELS: dict[Failure, str] = {
    "no exact average": "No exact average",
    "nothing recovered": "Nothing recovered: the model is held",
}
_ITSELF = Look()


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


def plot_outcomes(point: OutagePoint, *, title: str, caption: str, look: Look = _ITSELF) -> Figure:
    """The outcomes of one setting, and how many clients are recovered one by one.

    Args:
      point: the setting; its x is not used.
      title: what was simulated.
      caption: method and level of the intervals, number of trials.
      look: size, letters, words and axes.

    Returns:
      A figure of two panels: every outcome's probability with its interval and the closed form
      where one is known; the distribution of the number of recovered clients.
    """
    across = 1 if look.narrow else 2
    height = look.tall(4.0, down=3 - across, across=across)
    with new_figure(title, caption, height=height, look=look) as figure:
        ratios = [1.35, 1.0] if across == 2 else None
        left, right = figure.subplots(3 - across, across, width_ratios=ratios)
        laws, numbers = point.closed_form, not look.narrow
        draw_outcomes(left, point.outcomes, laws, xscale=look.xscale, numbers=numbers)
        draw_num_recovered(right, point.outcomes, yscale=look.yscale)
    return figure


def plot_outage_curves(
    curves: Sequence[OutageCurve],
    *,
    x_label: str,
    title: str,
    caption: str,
    look: Look = _ITSELF,
) -> Figure:
    """Failure probabilities along an axis, for all three decoders.

    Args:
      curves: one set of points for each setting (such as a number of attempts), at most three.
      x_label: name (and unit) of the axis.
      title: what was simulated.
      caption: method and level of the intervals, number of trials.
      look: size, letters, words and axes.

    Returns:
      A figure of two panels with logarithmic probabilities: no exact average; nothing recovered
      at all. Bands are intervals; the closed form of gc is a line under its points, which have
      bars where the curve says how that line runs between them.
    """
    across = look.across(2)
    height = look.tall(4.3, down=3 - across, across=across)
    with new_figure(title, caption, height=height, look=look) as figure:
        panels = figure.subplots(3 - across, across, sharey=True, squeeze=False).ravel()
        for panel, (failure, name) in zip(panels, _PANELS.items(), strict=True):
            panel.set(xscale=look.xscale or "linear", yscale=look.yscale or "log")
            _draw_panel(panel, curves, failure)
            panel.set(title=name, xlabel=x_label)
            panel.set_ylabel("probability per round" if across == 1 or panel is panels[0] else "")
        place_legend(figure, _legend(curves), look)
    return figure


def draw_outage_curves(
    axes: Axes,
    curves: Sequence[OutageCurve],
    failure: Failure = "no exact average",
    *,
    xscale: Scale = "linear",
    yscale: Scale = "log",
) -> Axes:
    """Failure probabilities of all three decoders along an axis, in one panel.

    Args:
      axes: to draw in.
      curves: one set of points for each setting, at most three.
      failure: of what.
      xscale, yscale: of the axes.

    Returns:
      The axes; their legend names decoders and curves.
    """
    axes.set(xscale=xscale, yscale=yscale)
    _draw_panel(axes, curves, failure)
    axes.legend(handles=_legend(curves))
    return axes


def _draw_panel(axes: Axes, curves: Sequence[OutageCurve], failure: Failure) -> None:
    for age, curve in enumerate(reversed(curves)):
        _draw_curve(axes, curve, age, failure)
    _tick_whole_numbers(axes, curves)
    axes.set_ylabel("probability per round")
    if axes.get_yscale() == "log":
        axes.set_ylim(_floor(curves), 1.4)
    else:
        axes.set_ylim(0, 1.02)


def _failures(outcomes: Outcomes, failure: Failure) -> dict[str, Estimate]:
    exact = failure == "no exact average"
    return outcomes.outages() if exact else outcomes.nothing_recovered()


def _draw_curve(axes: Axes, curve: OutageCurve, age: int, failure: Failure) -> None:
    x = np.array([point.x for point in curve.points], dtype=float)
    estimates = [_failures(point.outcomes, failure) for point in curve.points]
    for decoder, look in _DECODERS.items():
        law = _law(curve) if decoder == "gc" else []
        dense = bool(law and curve.law)  # beside it a band from point to point would contradict it
        draw_law(axes, law, colour=look.colour, dashes=_DASHES[age])
        draw_estimates(
            axes,
            x,
            [row[decoder] for row in estimates],
            arrow=look.arrow,
            bars=dense,
            band=not dense,
            width=look.width,
            linestyle="none" if law else _DASHES[age],
            marker=look.marker,
            ms=look.size * mark_scale(),
            mfc="white" if age else look.colour,
            mec=look.colour if age else "white",
            color=look.colour,
        )


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
            failures = [_failures(point.outcomes, failure) for failure in _PANELS]
            for e in (e for found in failures for e in found.values()):
                drawn = e.best if e.best > 0 else e.high / 3
                lowest = min(lowest, drawn) if drawn > 0 else lowest
    return lowest / 1.5


def _legend(curves: Sequence[OutageCurve]) -> list[Line2D]:
    entries = [legend_entry(look.marker, look.colour, look.label) for look in _DECODERS.values()]
    for age, curve in enumerate(reversed(curves)):
        entries.append(
            legend_entry("o", COLOURS["note"], curve.label, filled=age == 0, dashes=_DASHES[age])
        )
    if any(_law(curve) for curve in curves):
        entries.append(legend_entry("", COLOURS["gc"], "closed form of gc", dashes="-"))
    return entries
