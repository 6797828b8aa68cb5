"""Interactive figures of a study: curves with bands, and the heat map of a two-axis grid."""

from __future__ import annotations

import html
import math
from typing import Any

import numpy as np
import plotly.graph_objects as go

from jaxcogc.figures.colours import CURVE_COLOURS
from jaxcogc.figures.studies.curve_layout import (
    MAX_CURVES,
    Curve,
    Layout,
    Mark,
    Panel,
    layout_of,
    panels_of,
    setting_text,
)
from jaxcogc.number_text import estimate_text, value_text
from jaxcogc.study.results.point_results import PointResult
from jaxcogc.study.results.result_table import ResultTable
from jaxcogc.study.specification.point import Value

MAX_FIGURES = 12
_TEMPLATE: dict[str, Any] = {
    "template": "plotly_white",
    "font": {"family": "system-ui, sans-serif", "size": 13},
    "margin": {"l": 70, "r": 20, "t": 50, "b": 60},
    "hoverlabel": {"namelength": -1},  # 15 characters do not tell names apart
}


def curve_figures(table: ResultTable, outcome: str) -> list[go.Figure]:
    """Curves of an outcome along the longest numeric axis; as many figures as it takes.

    A legend entry toggles a curve together with its band. An estimate of zero events is an arrow
    at the upper end of its interval.
    """
    table, layout = _readable(table, outcome)
    return [_figure(panel, layout) for panel in panels_of(table, layout)[:MAX_FIGURES]]


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


def _figure(panel: Panel, layout: Layout) -> go.Figure:
    figure = go.Figure(layout=_TEMPLATE)
    for number, curve in enumerate(panel.curves[:MAX_CURVES]):
        _add_curve(figure, curve, CURVE_COLOURS[number % len(CURVE_COLOURS)])
    figure.update_layout(
        title=_plain(panel.title) or None,
        xaxis_title=layout.x.replace("_", " "),
        yaxis_title=layout.outcomes[0],
        legend_title="click hides, double click isolates",
        height=460,
        hovermode="closest",
    )
    figure.update_yaxes(type="log", exponentformat="power", minor_showgrid=False)
    if not all(isinstance(mark.x, int | float) for mark in panel.marks):
        figure.update_xaxes(type="category")
    return figure


def _add_curve(figure: go.Figure, curve: Curve, colour: str) -> None:
    seen = [mark for mark in curve.marks if mark.estimate.best > 0]
    unseen = [mark for mark in curve.marks if mark.estimate.best == 0]
    group, label = {"legendgroup": curve.label}, _plain(curve.label)
    x: list[Value] = [mark.x for mark in seen]
    if seen:
        high = [mark.estimate.high for mark in seen]
        low = [mark.estimate.low or mark.estimate.high * 1e-3 for mark in seen]
        figure.add_scatter(
            x=[*x, *reversed(x)],
            y=[*high, *reversed(low)],
            mode="lines",
            fill="toself",
            fillcolor=_faint(colour),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            **group,
        )
    figure.add_scatter(
        x=x or [None],  # its legend entry stays: it hides the arrows too
        y=np.array([mark.estimate.best for mark in seen] or [np.nan]),
        mode="lines+markers",
        name=label,
        line={"color": colour},
        customdata=[_hover(mark) for mark in seen],
        hovertemplate=f"%{{customdata}}<extra>{label}</extra>",
        **group,
    )
    if unseen:
        figure.add_scatter(
            x=[mark.x for mark in unseen],
            y=[mark.estimate.high for mark in unseen],
            mode="markers",
            marker={"symbol": "arrow-down", "size": 13, "color": colour},
            customdata=[_hover(mark) for mark in unseen],
            hovertemplate=f"%{{customdata}}<extra>{label}</extra>",
            showlegend=False,
            **group,
        )
    law = [mark for mark in curve.marks if mark.law]
    if law:
        figure.add_scatter(
            x=[mark.x for mark in law],
            y=[mark.law for mark in law],
            mode="lines",
            line={"color": "black", "width": 1, "dash": "dot"},
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


def heat_map(table: ResultTable, outcome: str) -> go.Figure | None:
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
    figure.update_xaxes(title=across.replace("_", " "), type="category")
    figure.update_yaxes(title=up.replace("_", " "), type="category")
    figure.update_layout(height=480)
    return figure


def _cells(table: ResultTable, outcome: str, across: str, up: str) -> dict[str, Any]:
    columns, lines = (sorted(table.values(name), key=_order) for name in (across, up))
    found = {(result.label(across), result.label(up)): result for result in table.results}
    grid = [[found.get((x, y)) for x in columns] for y in lines]
    return {
        "x": [_plain(value_text(x)) for x in columns],
        "y": [_plain(value_text(y)) for y in lines],
        "z": [[_log(result, outcome) for result in line] for line in grid],
        "text": [[_cell_text(result, outcome) for result in line] for line in grid],
        "hovertemplate": f"{across} %{{x}}, {up} %{{y}}<br>%{{text}}<extra></extra>",
        "colorscale": "Viridis",
        "colorbar": {"title": {"text": f"log10 {outcome}"}},
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
