"""Interactive figures of a study: curves with bands, and the heat map of a two-axis grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from jaxcogc.figures.curve_layout import (
    MAX_CURVES,
    Curve,
    Layout,
    Mark,
    Panel,
    layout_of,
    panels_of,
)
from jaxcogc.figures.style import CURVE_COLOURS
from jaxcogc.number_text import estimate_text, value_text
from jaxcogc.study.results.filters import Row, axes_of

MAX_FIGURES = 12
_TEMPLATE: dict[str, Any] = {
    "template": "plotly_white",
    "font": {"family": "system-ui, sans-serif", "size": 13},
    "margin": {"l": 70, "r": 20, "t": 50, "b": 60},
}


def curve_figures(rows: Sequence[Row], outcome: str) -> list[go.Figure]:
    """Curves of an outcome along the longest numeric axis; as many figures as it takes.

    A legend entry toggles a curve together with its band. An estimate of zero events is an arrow
    at the upper end of its interval.
    """
    layout = _readable_layout(rows, outcome)
    return [_figure(panel, layout) for panel in panels_of(rows, layout)[:MAX_FIGURES]]


def _readable_layout(rows: Sequence[Row], outcome: str) -> Layout:
    """All axes as curves if they can be told apart, else one of them as panels."""
    layout = layout_of(rows, outcomes=[outcome])
    choices = [None, *sorted(layout.curves, key=lambda name: -_num_values(rows, name))]
    for panels in choices:
        layout = layout_of(rows, outcomes=[outcome], x=layout.x, panels=panels)
        sizes = [_num_values(rows, name) for name in layout.curves]
        if math.prod(sizes) <= MAX_CURVES:
            break
    else:  # more than that cannot be shown: the first combination of the rest
        for name in layout.curves[1:]:
            rows = [row for row in rows if row[name] == rows[0][name]]
        layout = layout_of(rows, outcomes=[outcome], x=layout.x)
    return layout


def _num_values(rows: Sequence[Row], name: str) -> int:
    return len({str(row[name]) for row in rows})


def _figure(panel: Panel, layout: Layout) -> go.Figure:
    figure = go.Figure(layout=_TEMPLATE)
    for number, curve in enumerate(panel.curves[:MAX_CURVES]):
        _add_curve(figure, curve, CURVE_COLOURS[number % len(CURVE_COLOURS)])
    figure.update_layout(
        title=panel.title or None,
        xaxis_title=layout.x.replace("_", " "),
        yaxis_title=layout.outcomes[0],
        legend_title="click hides, double click isolates",
        height=460,
        hovermode="closest",
    )
    figure.update_yaxes(type="log", exponentformat="power", minor_showgrid=False)
    if not all(isinstance(m.x, int | float) for curve in panel.curves for m in curve.marks):
        figure.update_xaxes(type="category")
    return figure


def _add_curve(figure: go.Figure, curve: Curve, colour: str) -> None:
    seen = [mark for mark in curve.marks if mark.best > 0]
    unseen = [mark for mark in curve.marks if mark.best == 0]
    group = {"legendgroup": curve.label}
    if seen:
        x = [mark.x for mark in seen]
        ends = [mark.high for mark in seen], [mark.low or mark.high * 1e-3 for mark in seen]
        figure.add_scatter(
            x=[*x, *reversed(x)],
            y=[*ends[0], *reversed(ends[1])],
            mode="lines",
            fill="toself",
            fillcolor=_faint(colour),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            **group,
        )
    figure.add_scatter(
        x=[mark.x for mark in seen] or [None],  # its legend entry stays: it hides the arrows too
        y=np.array([mark.best for mark in seen] or [np.nan]),
        mode="lines+markers",
        name=curve.label,
        line={"color": colour},
        customdata=[_hover(mark) for mark in seen],
        hovertemplate="%{customdata}<extra>" + curve.label + "</extra>",
        **group,
    )
    if unseen:
        figure.add_scatter(
            x=[mark.x for mark in unseen],
            y=[mark.high for mark in unseen],
            mode="markers",
            marker={"symbol": "arrow-down", "size": 13, "color": colour},
            customdata=[_hover(mark) for mark in unseen],
            hovertemplate="%{customdata}<extra>" + curve.label + "</extra>",
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
            hovertemplate="closed form %{y:.4g}<extra>" + curve.label + "</extra>",
            showlegend=False,
            **group,
        )


def _hover(mark: Mark) -> str:
    return (
        f"{estimate_text(mark.best, mark.low, mark.high, gap='<br>')} {mark.method}<br>"
        f"{mark.trials:,} trials, stopped by {mark.reason}<br>point {mark.point[:8]}"
    )


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.2)"


def heat_map(rows: Sequence[Row], outcome: str) -> go.Figure | None:
    """The outcome over the two longest axes, one of the others' values at a time.

    None where the grid has fewer than two axes. A menu chooses among the other axes' values.
    """
    axes = sorted(axes_of(rows), key=lambda name: -_num_values(rows, name))
    if len(axes) < 2:
        return None
    across, up, *rest = axes
    groups: dict[str, list[Row]] = {}
    for row in rows:
        label = ", ".join(f"{name} {value_text(row[name])}" for name in rest) or outcome
        groups.setdefault(label, []).append(row)
    figure = go.Figure(layout=_TEMPLATE)
    for number, members in enumerate(groups.values()):
        figure.add_heatmap(**_cells(members, outcome, across, up), visible=number == 0)
    if len(groups) > 1:
        shown = [[n == number for n in range(len(groups))] for number in range(len(groups))]
        buttons = [
            {"label": label, "method": "update", "args": [{"visible": visible}]}
            for label, visible in zip(groups, shown, strict=True)
        ]
        menu = {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.15, "yanchor": "bottom"}
        figure.update_layout(updatemenus=[menu])
    figure.update_xaxes(title=across.replace("_", " "), type="category")
    figure.update_yaxes(title=up.replace("_", " "), type="category")
    figure.update_layout(height=480)
    return figure


def _cells(rows: Sequence[Row], outcome: str, across: str, up: str) -> dict[str, Any]:
    columns, lines = (sorted({row[name] for row in rows}, key=_order) for name in (across, up))
    found = {(row[across], row[up]): row for row in rows if row[outcome] is not None}
    grid = [[found.get((x, y)) for x in columns] for y in lines]
    return {
        "x": [value_text(x) for x in columns],
        "y": [value_text(y) for y in lines],
        "z": [[_log(row, outcome) for row in line] for line in grid],
        "text": [[_cell_text(row, outcome) for row in line] for line in grid],
        "hovertemplate": f"{across} %{{x}}, {up} %{{y}}<br>%{{text}}<extra></extra>",
        "colorscale": "Viridis",
        "colorbar": {"title": {"text": f"log10 {outcome}"}},
    }


def _order(value: Any) -> tuple[bool, Any]:
    return isinstance(value, str), value


def _log(row: Row | None, outcome: str) -> float | None:
    """The estimate, or the upper end where no event was seen; None for a point not run."""
    if row is None:
        return None
    return math.log10(row[outcome] or row[f"{outcome}_high"])


def _cell_text(row: Row | None, outcome: str) -> str:
    if row is None:
        return "not run"
    sign = "" if row[outcome] else "no event: at most "
    value = row[outcome] or row[f"{outcome}_high"]
    shown = estimate_text(value, row[f"{outcome}_low"], row[f"{outcome}_high"])
    return f"{sign}{shown}<br>{row['trials']:,} trials"
