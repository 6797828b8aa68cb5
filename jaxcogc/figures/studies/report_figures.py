"""Interactive figures of a study: curves with bands, and the heat map of a two-axis grid."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from jaxcogc.figures.labels import axis_label, outcome_label
from jaxcogc.figures.studies.curve_layout import (
    MAX_CURVES,
    Curve,
    Layout,
    Mark,
    Panel,
    is_numeric,
    layout_of,
    panels_of,
    setting_text,
    thresholds_of,
)
from jaxcogc.figures.studies.curve_looks import MARKERS, CurveLook, looks_of
from jaxcogc.number_text import estimate_text, value_text
from jaxcogc.study.results.point_results import PointResult
from jaxcogc.study.results.result_table import ResultTable
from jaxcogc.study.specification.point import Value

MAX_FIGURES = 12
_TEMPLATE: dict[str, Any] = {
    "template": "plotly_white",
    "font": {"family": "system-ui, sans-serif", "size": 13},
    "paper_bgcolor": "rgba(0,0,0,0)",  # that of the page, light or dark
    "plot_bgcolor": "rgba(0,0,0,0)",
    "margin": {"l": 70, "r": 20, "t": 50, "b": 60},
    "hoverlabel": {"namelength": -1},  # 15 characters do not tell names apart
}
_SYMBOL_NAMES = (
    *("circle", "square", "triangle-up", "diamond"),
    *("triangle-down", "triangle-left", "triangle-right", "cross"),
)
_SYMBOLS = dict(zip(MARKERS, _SYMBOL_NAMES, strict=True))
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_MOST_WORDS = 6
"""Points of a curve that are told in words; of longer ones the ends."""


class Chart(NamedTuple):
    """A figure, what it is called, and what it shows in words, a line for each curve."""

    figure: go.Figure
    title: str
    words: list[str]


def curve_figures(table: ResultTable, outcome: str) -> list[Chart]:
    """Curves of an outcome along the longest numeric axis; as many figures as it takes.

    A legend entry toggles a curve together with its band. An estimate of zero events is an arrow
    at the upper end of its interval.
    """
    table, layout = _readable(table, outcome)
    panels = panels_of(table, layout)[:MAX_FIGURES]
    return [_chart(panel, layout) for panel in panels]


def _readable(table: ResultTable, outcome: str) -> tuple[ResultTable, Layout]:
    """All axes as curves if they can be told apart, else one as panels, else only some points."""
    every = layout_of(table, outcomes=[outcome])
    for panels in (None, *sorted(every.curves, key=lambda name: -len(table.values(name)))):
        layout = layout_of(table, outcomes=[outcome], x=every.x, panels=panels)
        if math.prod(len(table.values(name)) for name in layout.curves) <= MAX_CURVES:
            return table, layout
    name = every.curves[-1]
    first = table.values(name)[0]
    some = table.only(r for r in table.results if r.label(name) == first)
    return _readable(some, outcome)


def _chart(panel: Panel, layout: Layout) -> Chart:
    title = f"{outcome_label(layout.outcomes[0])} against {axis_label(layout.x)}"
    title += f", {panel.title}" if panel.title else ""
    return Chart(_figure(panel, layout), title, [_words(c, layout) for c in panel.curves])


def _words(curve: Curve, layout: Layout) -> str:
    marks: Sequence[Mark] = curve.marks
    if len(marks) > _MOST_WORDS:
        marks = (marks[0], marks[len(marks) // 2], marks[-1])
    told = [
        f"{estimate_text(m.estimate.best, m.estimate.low, m.estimate.high)} at "
        f"{layout.x.replace('_', ' ')} {value_text(m.x)}"
        for m in marks
    ]
    return f"{curve.label}: {'; '.join(told)}"


def _figure(panel: Panel, layout: Layout) -> go.Figure:
    figure, looks = go.Figure(layout=_TEMPLATE), looks_of([panel])
    numeric = is_numeric([mark.x for mark in panel.marks])
    for number, curve in enumerate(panel.curves[:MAX_CURVES]):
        law = curve.law(layout.x) if numeric else []
        dashes = _DASHES[number % len(_DASHES)]
        _add_curve(figure, curve, _Style(looks[curve.label], dashes, numeric), law)
    for value in thresholds_of([panel], layout):
        figure.add_hline(value, line={"dash": "longdashdot", "width": 1, "color": "#888888"})
    figure.update_layout(
        title=_plain(panel.title) or None,
        xaxis_title=axis_label(layout.x),
        yaxis_title=f"P({outcome_label(layout.outcomes[0])})",
        legend_title="click hides, double click isolates",
        height=460,
        hovermode="closest",
    )
    figure.update_yaxes(type="log", exponentformat="power", minor_showgrid=False)
    if not numeric:
        figure.update_xaxes(type="category")
    return figure


class _Style(NamedTuple):
    """How a curve is told apart from the others: by colour, by symbol and by dashes."""

    look: CurveLook
    dashes: str
    joined: bool

    @property
    def symbol(self) -> str:
        """As Plotly calls it."""
        return _SYMBOLS[self.look.marker] + "-open" * (not self.look.filled)

    @property
    def colour(self) -> str:
        """That shows on light and dark pages."""
        return "#888888" if self.look.colour == "#000000" else self.look.colour


def _add_curve(
    figure: go.Figure, curve: Curve, style: _Style, law: Sequence[tuple[float, float]]
) -> None:
    """A curve with its band, its law and the arrows of events never seen, hidden together."""
    seen = [mark for mark in curve.marks if mark.estimate.best > 0]
    unseen = [mark for mark in curve.marks if mark.estimate.best == 0]
    group, label = {"legendgroup": curve.label}, _plain(curve.label)
    x: list[Value] = [mark.x for mark in seen]
    if seen and style.joined:
        high = [mark.estimate.high for mark in seen]
        low = [mark.estimate.low or mark.estimate.high * 1e-3 for mark in seen]
        figure.add_scatter(
            x=[*x, *reversed(x)],
            y=[*high, *reversed(low)],
            mode="lines",
            fill="toself",
            fillcolor=_faint(style.colour),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            **group,
        )
    figure.add_scatter(
        x=x or [None],  # its legend entry stays: it hides the arrows too
        y=np.array([mark.estimate.best for mark in seen] or [np.nan]),
        mode="lines+markers" if style.joined and not law else "markers",
        name=label,
        line={"color": style.colour, "dash": style.dashes},
        marker={"symbol": style.symbol, "size": 9, "color": style.colour},
        customdata=[_hover(mark) for mark in seen],
        hovertemplate=f"%{{customdata}}<extra>{label}</extra>",
        **group,
    )
    if unseen:
        figure.add_scatter(
            x=[mark.x for mark in unseen],
            y=[mark.estimate.high for mark in unseen],
            mode="markers",
            marker={"symbol": "arrow-down", "size": 13, "color": style.colour},
            customdata=[_hover(mark) for mark in unseen],
            hovertemplate=f"%{{customdata}}<extra>{label}</extra>",
            showlegend=False,
            **group,
        )
    if law:
        figure.add_scatter(
            x=[x for x, y in law if y > 0],
            y=[y for _, y in law if y > 0],
            mode="lines",
            line={"color": style.colour, "width": 1.5, "dash": style.dashes},
            hovertemplate=f"closed form %{{y:.4g}}<extra>{label}</extra>",
            showlegend=False,
            **group,
        )


def _hover(mark: Mark) -> str:
    estimate, result = mark.estimate, mark.result
    return (
        f"{estimate_text(estimate.best, estimate.low, estimate.high, gap='<br>')} "
        f"{estimate.method}<br>{result.trials:,} trials, stopped by {result.reason}<br>"
        f"point {result.point.id[:8]}"
    )


def _plain(text: str) -> str:
    """A text in which Plotly finds no tags, and no places to fill in."""
    return html.escape(text, quote=False).replace("%{", "%&#123;")


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.2)"


def heat_map(table: ResultTable, outcome: str) -> Chart | None:
    """The outcome over the two longest axes, one of the others' values at a time.

    None where the grid has fewer than two axes. A menu chooses among the other axes' values.
    """
    axes = sorted(table.varying_axes, key=lambda name: -len(table.values(name)))
    if len(axes) < 2:
        return None
    across, up, *rest = axes
    groups: dict[str, list[PointResult]] = {}
    for result in table.results:
        groups.setdefault(setting_text(result, rest) or outcome, []).append(result)
    figure = go.Figure(layout=_TEMPLATE)
    for number, members in enumerate(groups.values()):
        cells = _cells(table.only(members), outcome, across, up)
        figure.add_heatmap(**cells, visible=number == 0)
    if len(groups) > 1:
        shown = [[n == number for n in range(len(groups))] for number in range(len(groups))]
        buttons = [
            {"label": _plain(label), "method": "update", "args": [{"visible": visible}]}
            for label, visible in zip(groups, shown, strict=True)
        ]
        menu = {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.15, "yanchor": "bottom"}
        figure.update_layout(updatemenus=[menu])
    figure.update_xaxes(title=axis_label(across), type="category")
    figure.update_yaxes(title=axis_label(up), type="category")
    figure.update_layout(height=460)
    title = f"{outcome_label(outcome)} over {axis_label(across)} and {axis_label(up)}"
    return Chart(figure, title, _heat_words(table, outcome, (across, up, *rest)))


def _heat_words(table: ResultTable, outcome: str, axes: Sequence[str]) -> list[str]:
    """The least and the largest probability, and where."""
    found = [result for result in table.results if outcome in result.estimates]
    found.sort(key=lambda result: result.estimates[outcome].best)
    words = []
    for name, some in (("least", found[:1]), ("largest", found[-1:])):
        for result in some:
            e = result.estimates[outcome]
            where = setting_text(result, axes)
            words.append(f"{name}: {estimate_text(e.best, e.low, e.high)} at {where}")
    return words


def _cells(table: ResultTable, outcome: str, across: str, up: str) -> dict[str, Any]:
    columns, lines = (sorted(table.values(name), key=_order) for name in (across, up))
    found = {(result.label(across), result.label(up)): result for result in table.results}
    grid = [[found.get((x, y)) for x in columns] for y in lines]
    names = [_plain(name.replace("_", " ")) for name in (across, up)]
    scale = f"log10 P({outcome_label(outcome)})"
    return {
        "x": [_plain(value_text(x)) for x in columns],
        "y": [_plain(value_text(y)) for y in lines],
        "z": [[_log(result, outcome) for result in line] for line in grid],
        "text": [[_cell_text(result, outcome) for result in line] for line in grid],
        "hovertemplate": f"{names[0]} %{{x}}, {names[1]} %{{y}}<br>%{{text}}<extra></extra>",
        "colorscale": "Viridis",
        "colorbar": {"title": {"text": scale, "side": "right"}, "thickness": 14},
    }


def _order(value: Value) -> tuple[bool, Any]:
    return isinstance(value, str), value


def _log(result: PointResult | None, outcome: str) -> float | None:
    """The estimate, or the upper end where no event was seen; None for a point not run."""
    if result is None or outcome not in result.estimates:
        return None
    estimate = result.estimates[outcome]
    return math.log10(estimate.best or estimate.high)


def _cell_text(result: PointResult | None, outcome: str) -> str:
    if result is None or outcome not in result.estimates:
        return "not run"
    estimate = result.estimates[outcome]
    sign = "" if estimate.best else "no event: at most "
    value = estimate.best or estimate.high
    shown = estimate_text(value, estimate.low, estimate.high)
    return f"{sign}{shown}<br>{result.trials:,} trials"
