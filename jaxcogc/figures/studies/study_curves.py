"""The picture of a study: estimates with bands along an axis, one panel beside the other."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from jaxcogc.figures.colours import COLOURS
from jaxcogc.figures.estimates import LAW, draw_estimates, draw_law, mark_scale
from jaxcogc.figures.labels import axis_label, outcome_label
from jaxcogc.figures.look import Look, Scale
from jaxcogc.figures.studies.curve_layout import (
    Curve,
    Layout,
    Panel,
    caption_of,
    is_numeric,
    layout_of,
    panels_of,
    thresholds_of,
)
from jaxcogc.figures.studies.curve_looks import CurveLook, entries_of, looks_of
from jaxcogc.figures.style import Figure, legend_entry, new_figure, place_legend, plain
from jaxcogc.number_text import value_text
from jaxcogc.study.results.result_table import ResultTable, read_table
from jaxcogc.study.specification.point import Value
from jaxcogc.study.store.store import open_store

_ITSELF = Look()
_ROOM = 0.7
"""Of the way from one word on an axis to the next: for the marks that stand side by side."""
_THRESHOLD = (0, (8, 2, 1, 2))


def plot_study(
    table: ResultTable,
    layout: Layout,
    *,
    title: str,
    linear: bool = False,
    look: Look = _ITSELF,
) -> Figure:
    """Draw a table of results.

    Args:
      table: the results.
      layout: what is on the axes.
      title: of the picture.
      linear: a linear axis of probabilities instead of a logarithmic one.
      look: size, letters, words and axes.

    Returns:
      A figure. Bands are intervals; an estimate of zero events is an arrow that hangs down from the
      upper end of its interval; the closed form of gc_outage is a line under the marks, and words
      on the x axis have marks side by side, which no line joins.

    Raises:
      ValueError: more curves than can be told apart.
    """
    panels = panels_of(table, layout)
    across = look.across(len(panels))
    down = -(-len(panels) // across)
    height = look.tall(4.3, down=down, across=across)
    yscale: Scale = look.yscale or ("linear" if linear else "log")
    with new_figure(title, caption_of(table, panels), height=height, look=look) as figure:
        grid = figure.subplots(down, across, squeeze=False, sharey=True)
        places, looks = _places(panels), looks_of(panels)
        for axes, panel in zip(grid.flat, panels, strict=False):
            axes.set(xscale=look.xscale or "linear", yscale=yscale)
            _draw_panel(axes, panel, layout, places, looks)
            axes.set_title(plain(panel.title))
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_visible(False)
        for number, axes in enumerate(grid.flat):
            axes.set_ylabel(_ylabel(layout) if number % across == 0 else "")
        _draw_thresholds(list(grid.flat), panels, layout)
        _limit(grid[0, 0], panels, layout)
        place_legend(figure, _legend(panels, layout, looks), look)
    return figure


def draw_study(
    axes: Axes,
    store: str | os.PathLike[str],
    *,
    x: str | None = None,
    curves: Sequence[str] | None = None,
    outcomes: Sequence[str] | None = None,
    conditions: Sequence[str] = (),
    yscale: Scale = "log",
) -> Axes:
    """Draw what a store of a study holds into axes, in one panel.

    Args:
      axes: to draw in.
      store: its path.
      x: the axis of the grid along x; None: the longest one of numbers.
      curves: axes of the grid that tell curves apart; None: all others on which points differ.
      outcomes: whose probabilities; None: what the study watched.
      conditions: such as "attempts=2": the points that meet them all.
      yscale: of the probabilities.

    Returns:
      The axes, with labels and a legend of the curves.

    Raises:
      ValueError: no store, or one without such points; no such axis, column or outcome; more curves
        than can be told apart.
    """
    with open_store(Path(store)) as opened:
        table = read_table(opened).counted
    for condition in conditions:
        table = table.where(condition)
    if not table.results:
        raise ValueError(f"{store}: holds no counted point that meets the conditions")
    layout = layout_of(table, x=x, curves=curves, outcomes=outcomes)
    panels = panels_of(table, layout)
    looks = looks_of(panels)
    axes.set_yscale(yscale)
    _draw_panel(axes, panels[0], layout, _places(panels), looks)
    _draw_thresholds([axes], panels, layout)
    _limit(axes, panels, layout)
    axes.set_ylabel(_ylabel(layout))
    axes.legend(handles=_legend(panels, layout, looks))
    return axes


def _ylabel(layout: Layout) -> str:
    one = len(layout.outcomes) == 1
    return f"P({outcome_label(layout.outcomes[0])})" if one else "probability per round"


def _places(panels: Sequence[Panel]) -> dict[Value, float]:
    """Where a value stands on the x axis: words side by side, numbers where they are."""
    values = list(dict.fromkeys(mark.x for panel in panels for mark in panel.marks))
    if is_numeric(values):
        return {value: float(value) for value in values}
    return {value: float(place) for place, value in enumerate(values)}


def _draw_panel(
    axes: Axes,
    panel: Panel,
    layout: Layout,
    places: Mapping[Value, float],
    looks: Mapping[str, CurveLook],
) -> None:
    numeric = is_numeric(list(places))
    for number, curve in enumerate(panel.curves):
        aside = 0.0
        if not numeric:
            aside = _ROOM * ((number + 0.5) / len(panel.curves) - 0.5)
        _draw(axes, curve, looks[curve.label], places, layout.x if numeric else None, aside)
    axes.set_xlabel(axis_label(layout.x))
    if not numeric or len(places) <= 12:
        values = list(places)
        axes.set_xticks([places[v] for v in values], [plain(value_text(v)) for v in values])
    if numeric:
        if axes.get_xscale() == "log" and len(places) <= 12:
            axes.minorticks_off()
    else:
        axes.set_xlim(-0.5, len(places) - 0.5)
        axes.grid(visible=False, axis="x")


def _draw(
    axes: Axes,
    curve: Curve,
    look: CurveLook,
    places: Mapping[Value, float],
    axis: str | None,
    aside: float,
) -> None:
    """A curve along a numeric axis; marks alone where there are words on it."""
    logarithmic = axes.get_yscale() == "log"
    law = [] if axis is None else [(x, y) for x, y in curve.law(axis) if y > 0 or not logarithmic]
    draw_law(axes, law, colour=look.colour, dashes=look.dashes)
    x = np.array([places[mark.x] + aside for mark in curve.marks])
    draw_estimates(
        axes,
        x,
        [mark.estimate for mark in curve.marks],
        arrow=20,
        bars=True,
        band=axis is not None,
        width=look.width,
        linestyle="none" if law or axis is None else look.dashes,
        marker=look.marker,
        ms=look.size * mark_scale(),
        mfc=look.face,
        color=look.colour,
    )
    lone = [(place, m.law) for place, m in zip(x, curve.marks, strict=True) if m.law and not law]
    if lone:  # exact values that no line may join
        axes.plot(
            *zip(*lone, strict=True), "_", ms=14 * mark_scale(), mew=1.2, color=look.colour, gid=LAW
        )


def _draw_thresholds(every: Sequence[Axes], panels: Sequence[Panel], layout: Layout) -> None:
    for value in thresholds_of(panels, layout):
        for axes in every:
            axes.axhline(value, color=COLOURS["note"], lw=1, ls=_THRESHOLD, zorder=1.5)


def _limit(axes: Axes, panels: Sequence[Panel], layout: Layout) -> None:
    marks = [mark for panel in panels for mark in panel.marks]
    estimates = [mark.estimate for mark in marks]
    wanted = thresholds_of(panels, layout)
    highest = max([e.high for e in estimates] + wanted, default=1.0)
    if axes.get_yscale() == "linear":
        axes.set_ylim(0, min(1.02, highest * 1.05))
        return
    drawn = [max(e.low, e.best / 10) if e.best > 0 else e.high / 3 for e in estimates]
    drawn += [m.law for m in marks if m.law] + wanted
    axes.set_ylim(min(drawn, default=1e-3) / 1.6, min(1.3, highest * 1.6))


def _legend(
    panels: Sequence[Panel], layout: Layout, looks: Mapping[str, CurveLook]
) -> list[Line2D]:
    every = [mark for panel in panels for mark in panel.marks]
    numeric = is_numeric([mark.x for mark in every])
    handles = []
    for label, look in entries_of(panels, dict(looks)):
        dashes = look.dashes if numeric else "none"
        more: Any = {
            "filled": look.filled,
            "dashes": dashes,
            "size": look.size,
            "width": look.width,
        }
        handles.append(legend_entry(look.marker, look.colour, label, **more))
    if any(m.law is not None for m in every):
        marker, dashes = ("", "-") if numeric else ("_", "none")
        handles.append(legend_entry(marker, COLOURS["note"], LAW, dashes=dashes))
    for value in thresholds_of(panels, layout):
        handles.append(
            legend_entry("", COLOURS["note"], f"to decide: below {value:g}?", dashes=_THRESHOLD)
        )
    if any(m.estimate.best == 0 for m in every):
        handles.append(legend_entry("_", COLOURS["note"], "no event: upper end"))
    return handles
