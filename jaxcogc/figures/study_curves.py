"""The picture of a study: estimates with bands along an axis, one panel beside the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxcogc.figures.colours import COLOURS, CURVE_COLOURS
from jaxcogc.figures.curve_layout import Curve, Layout, Panel, caption_of, is_numeric, panels_of
from jaxcogc.figures.style import draw_estimates, legend_entry, new_figure, plain
from jaxcogc.number_text import value_text
from jaxcogc.study.results.result_table import ResultTable
from jaxcogc.study.specification.point import Value

MARKERS = "os^Dv<>P"
_BESIDE = 3


def plot_study(table: ResultTable, layout: Layout, *, title: str, linear: bool = False) -> Figure:
    """Draw a table of results.

    Args:
      table: the results.
      layout: what is on the axes.
      title: of the picture.
      linear: a linear axis of probabilities instead of a logarithmic one.

    Returns:
      A figure. Bands are intervals; an estimate of zero events is an arrow that hangs down from the
      upper end of its interval; the closed form of gc_outage is a thin black line.

    Raises:
      ValueError: more curves than can be told apart.
    """
    panels = panels_of(table, layout)
    across = min(len(panels), _BESIDE)
    down = -(-len(panels) // across)
    with new_figure(title, caption_of(table, panels), height=0.9 + 4.3 * down) as figure:
        grid = figure.subplots(down, across, squeeze=False, sharey=True)
        places = _places(panels)
        for axes, panel in zip(grid.flat, panels, strict=False):
            axes.set_yscale("linear" if linear else "log")
            for number, curve in enumerate(panel.curves):
                _draw(axes, curve, number, places, linear)
            _label_x(axes, layout, places)
            axes.set_title(plain(panel.title))
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel(
                layout.outcomes[0] if len(layout.outcomes) == 1 else "probability per round"
            )
        _limit(grid[0, 0], panels, linear)
        figure.legend(handles=_legend(panels), loc="outside right upper")
    return figure


def _places(panels: Sequence[Panel]) -> dict[Value, float]:
    """Where a value stands on the x axis: words side by side, numbers where they are."""
    values = list(dict.fromkeys(mark.x for panel in panels for mark in panel.marks))
    if is_numeric(values):
        return {value: float(value) for value in values}
    return {value: float(place) for place, value in enumerate(values)}


def _style(number: int) -> tuple[str, str]:
    return CURVE_COLOURS[number % len(CURVE_COLOURS)], MARKERS[number % len(MARKERS)]


def _draw(axes: Axes, curve: Curve, number: int, places: dict[Value, float], linear: bool) -> None:
    colour, marker = _style(number)
    dashes = "-" if number < len(CURVE_COLOURS) else "--"
    x = np.array([places[m.x] for m in curve.marks])
    look = {"linestyle": dashes, "marker": marker, "ms": 5, "color": colour}
    draw_estimates(axes, x, [m.estimate for m in curve.marks], arrow=20, bars=True, **look)
    law = [(places[m.x], m.law) for m in curve.marks if m.law is not None and (linear or m.law > 0)]
    if law:
        axes.plot(*zip(*law, strict=True), "-", color="black", lw=0.9, zorder=5)


def _label_x(axes: Axes, layout: Layout, places: dict[Value, float]) -> None:
    axes.set_xlabel(layout.x.replace("_", " "))
    words = [value for value in places if not isinstance(value, int | float)]
    if words or len(places) <= 12:
        values = list(places)
        axes.set_xticks([places[v] for v in values], [plain(value_text(v)) for v in values])


def _limit(axes: Axes, panels: Sequence[Panel], linear: bool) -> None:
    marks = [mark for panel in panels for mark in panel.marks]
    estimates = [mark.estimate for mark in marks]
    highest = max((e.high for e in estimates), default=1.0)
    if linear:
        axes.set_ylim(0, min(1.02, highest * 1.05))
        return
    drawn = [max(e.low, e.best / 10) if e.best > 0 else e.high / 3 for e in estimates]
    drawn += [m.law for m in marks if m.law]
    axes.set_ylim(min(drawn, default=1e-3) / 1.6, min(1.3, highest * 1.6))


def _legend(panels: Sequence[Panel]) -> list[Line2D]:
    entries: dict[str, Line2D] = {}
    for panel in panels:
        for number, curve in enumerate(panel.curves):
            colour, marker = _style(number)
            dashes = "-" if number < len(CURVE_COLOURS) else "--"
            entries.setdefault(
                curve.label, legend_entry(marker, colour, curve.label, dashes=dashes)
            )
    handles = list(entries.values())
    every = [mark for panel in panels for mark in panel.marks]
    if any(m.law is not None for m in every):
        handles.append(legend_entry("", "black", "closed form", dashes="-"))
    if any(m.estimate.best == 0 for m in every):
        handles.append(legend_entry("_", COLOURS["note"], "no event: upper end"))
    return handles
