"""The report of a study: one HTML page that needs nothing else."""

from __future__ import annotations

import html
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import jaxcogc
from jaxcogc.figures.labels import axis_label, outcome_label
from jaxcogc.figures.studies.report_assets import CHARTS, SCRIPT, STYLE
from jaxcogc.figures.studies.report_tables import best_section, html_table, points_section
from jaxcogc.number_text import value_text
from jaxcogc.study.results.result_table import ResultTable, read_table
from jaxcogc.study.store.store import Store, StudyText, open_store

if TYPE_CHECKING:
    from jaxcogc.figures.studies.report_figures import Chart


def report_page(store: str | os.PathLike[str]) -> str:
    """The HTML page that reports on a store.

    Args:
      store: its path.

    Returns:
      The page: what was studied, curves with bands (hover, toggle), the heat map of a two-axis
      grid, each in words too; the best stragglers of each network, a table that can be searched,
      sorted and saved, and how to get the same numbers again. Scripts and styles are inside;
      nothing is loaded from a network, and nothing is sent there.

    Raises:
      ValueError: no store, or one without a counted point (one line).
    """
    with open_store(Path(store)) as opened:
        table, studies = read_table(opened), opened.studies()
        name = Path(store).stem
        sections = [*_head(table, studies), *_figures(table.counted), best_section(table)]
        sections += [points_section(table, name), _origin(opened, table, studies)]
    title = html.escape(" · ".join(study.name for study in studies) or "study")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<link rel='icon' href='data:,'><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(sections)
        + f"\n</main><script>{SCRIPT}</script>\n</body></html>\n"
    )


def _head(table: ResultTable, studies: Iterable[StudyText]) -> list[str]:
    parts = [
        f"<h1>{html.escape(study.name)}</h1><p>{html.escape(study.description)}</p>"
        for study in studies
    ]
    if not table.counted.results:
        raise ValueError("the store holds no counted point yet")
    axes = [f"{name} ({len(table.values(name))})" for name in table.varying_axes]
    reasons = Counter(result.reason for result in table.results)
    stopped = ", ".join(f"{number} by {reason}" for reason, number in reasons.items())
    trials = sum(result.trials for result in table.results)
    parts.append(
        f"<p>{len(table.results)} points, {trials:,} trials. "
        f"Axes: {html.escape(', '.join(axes) or 'none')}. Stopped: {stopped}.</p>"
    )
    fixed = {
        name: value_text(table.values(name)[0])
        for name in table.axes
        if name not in table.varying_axes
    }
    lines = [f"<dt>{axis_label(name)}</dt><dd>{html.escape(x)}</dd>" for name, x in fixed.items()]
    parts.append(f"<p>The same at every point:</p><dl id='fixed'>{''.join(lines)}</dl>")
    return parts


def _figures(table: ResultTable) -> list[str]:
    from jaxcogc.figures.studies.report_figures import curve_figures, heat_map

    embed, parts = _Embedding(), []
    for outcome in table.watched:
        words = html.escape(outcome_label(outcome))
        called = f"In tables and files this is {outcome}. Bands are intervals."
        parts.append(f"<h2>{words}</h2><p>{called}</p>")
        parts += [embed(chart) for chart in curve_figures(table, outcome)]
        chart = heat_map(table, outcome)
        if chart is not None:
            parts.append(f"<h2>{words}, over the grid</h2>" + embed(chart))
    return parts


class _Embedding:
    """Charts as parts of the page, the first one with the scripts that all need."""

    def __init__(self) -> None:
        self._number = 0

    def __call__(self, chart: Chart) -> str:
        """A chart, and what it shows in words."""
        from plotly.io import to_html

        self._number += 1
        page = to_html(
            chart.figure,
            full_html=False,
            include_plotlyjs=self._number == 1,
            config=CHARTS,
        )
        words = "".join(f"<li>{html.escape(line)}</li>" for line in chart.words)
        return (
            f"<figure aria-label='{html.escape(chart.title, quote=True)}' "
            f"aria-describedby='words{self._number}'>{page}"
            f"<details id='words{self._number}'><summary>This chart in words</summary>"
            f"<ul>{words}</ul></details></figure>"
        )


def _origin(store: Store, table: ResultTable, studies: Iterable[StudyText]) -> str:
    seeds = ", ".join(map(str, table.values("seed")))
    sessions = store.rows("SELECT DISTINCT version, device, host FROM sessions ORDER BY 1, 2, 3")
    parts = [
        "<h2>How to get the same numbers</h2>",
        f"<p>Every count follows from the study and its seed ({seeds}); devices, interruptions and"
        " the order of points change none. Counted with:</p>",
        html_table(("jaxcogc", "device", "host"), sessions, "sessions"),
    ]
    for number, study in enumerate(studies):
        path = "study.toml" if number == 0 else f"study{number + 1}.toml"
        command = f"jaxcogc collect {path} --store {store.path.name}"
        parts.append(
            f"<p>{path}:</p><pre>{html.escape(study.text)}</pre><pre>{html.escape(command)}</pre>"
        )
    parts.append(f"<p class='note'>Report made by jaxcogc {jaxcogc.__version__}.</p>")
    return "\n".join(parts)
