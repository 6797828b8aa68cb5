"""The report of a study: one HTML page that needs nothing else."""

from __future__ import annotations

import html
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jaxcogc
from jaxcogc.names import EVENTS, HARMFUL_OUTCOMES
from jaxcogc.number_text import estimate_text, level_text, value_text
from jaxcogc.outage.intervals import Estimate
from jaxcogc.study.results.best_stragglers import best_stragglers
from jaxcogc.study.results.result_table import ResultTable, read_table
from jaxcogc.study.store.store import Store, StudyText, open_store

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 0 auto; max-width: 1100px;
  padding: 24px; }
h1 { margin-bottom: 0; } h2 { margin-top: 2em; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; font-size: 13px; } .wide { overflow-x: auto; }
th, td { padding: 3px 9px; border-bottom: 1px solid #eee; text-align: right; white-space: nowrap; }
th { background: #f6f6f6; position: sticky; top: 0; }
pre { background: #f6f6f6; padding: 12px; overflow-x: auto; font-size: 13px; }
input { font-size: 15px; padding: 6px 10px; width: 360px; }
.note { color: #666; font-size: 13px; }
"""
_SCRIPT = """
const filter = document.getElementById("filter");
const rows = Array.from(document.querySelectorAll("#points tbody tr"));
function apply() {
  const words = filter.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const match = words.every((word) => row.textContent.toLowerCase().includes(word));
    row.hidden = !match;
    shown += match;
  }
  document.getElementById("shown").textContent = shown + " of " + rows.length + " points";
}
filter.addEventListener("input", apply);
apply();
"""


def report_page(store: str | os.PathLike[str]) -> str:
    """The HTML page that reports on a store.

    Args:
      store: its path.

    Returns:
      The page: what was studied, curves with bands (hover, toggle), the heat map of a two-axis
      grid, the best stragglers of each network, a table with search, and how to get the same
      numbers again. Scripts and styles are inside; nothing is loaded from a network.

    Raises:
      ValueError: no store, or one without a counted point (one line).
    """
    with open_store(Path(store)) as opened:
        table, studies = read_table(opened), opened.studies()
        sections = [*_head(table, studies), *_figures(table.counted), _best(table), _table(table)]
        sections.append(_origin(opened, table, studies))
    title = html.escape(" · ".join(study.name for study in studies) or "study")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<link rel='icon' href='data:,'><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(sections)
        + f"\n<script>{_SCRIPT}</script>\n</body></html>\n"
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
    return parts


def _figures(table: ResultTable) -> list[str]:
    from plotly.io import to_html

    from jaxcogc.figures.studies.report_figures import curve_figures, heat_map

    parts, scripts_there = [], False

    def embed(figure: Figure) -> str:
        nonlocal scripts_there
        page = to_html(
            figure,
            full_html=False,
            include_plotlyjs=not scripts_there,
            config={"displaylogo": False, "responsive": True},
        )
        scripts_there = True
        return str(page)

    for outcome in table.watched:
        parts.append(f"<h2>{outcome}</h2><p>{EVENTS[outcome]}. Bands are intervals.</p>")
        parts += [embed(figure) for figure in curve_figures(table, outcome)]
        picture = heat_map(table, outcome)
        if picture is not None:
            parts.append(f"<h2>{outcome} over the grid</h2>" + embed(picture))
    return parts


def _best(table: ResultTable) -> str:
    if len(table.values("stragglers")) < 2:
        return ""
    lines = []
    several = len(table.counted.watched) > 1
    words = {True: "yes", False: "no", None: "no other"}
    for setting, outcome, result, apart in best_stragglers(table):
        cells = [*map(value_text, setting.values()), *([outcome] if several else [])]
        cells += [value_text(result.point.stragglers), _interval(result.estimates[outcome])]
        lines.append([*cells, words[apart]])
    axes = [name for name in table.varying_axes if name != "stragglers"]
    watched = ["outcome"] if several else []
    header = [*axes, *watched, "best stragglers"]
    header += ["probability" if several else table.counted.watched[0], "apart from the others"]
    return (
        "<h2>Best stragglers</h2><p class='note'>“Apart” when the intervals do not overlap;"
        " “no other” where one number of stragglers alone was counted.</p>"
        + f"<div class='wide'>{_html_table(header, lines, 'best')}</div>"
    )


def _interval(estimate: Estimate | None) -> str:
    return "" if estimate is None else estimate_text(estimate.best, estimate.low, estimate.high)


def _table(table: ResultTable) -> str:
    axes, outcomes = table.varying_axes, list(dict.fromkeys([*table.watched, *HARMFUL_OUTCOMES]))
    header = ["point", *axes, "trials", "stopped by"]
    header += [part for outcome in outcomes for part in (outcome, "method")] + ["closed form"]
    lines = []
    for result in table.results:
        cells = [result.point.id, *(value_text(result.label(name)) for name in axes)]
        cells += [f"{result.trials:,}", result.reason]
        for outcome in outcomes:
            estimate = result.estimates.get(outcome)
            cells += [_interval(estimate), "" if estimate is None else estimate.method]
        law = result.closed_form
        lines.append([*cells, "" if law is None else f"{law:.4g}"])
    return (
        f"<h2>All points</h2><p class='note'>{level_text(*table.levels)} intervals.</p>"
        "<p><input id='filter' placeholder='search: words that a line must contain'>"
        " <span id='shown'></span></p>"
        f"<div class='wide'>{_html_table(header, lines, 'points')}</div>"
    )


def _html_table(header: Sequence[str], lines: Iterable[Sequence[str]], name: str) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in line) + "</tr>"
        for line in lines
    )
    return f"<table id='{name}'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _origin(store: Store, table: ResultTable, studies: Iterable[StudyText]) -> str:
    seeds = ", ".join(map(str, table.values("seed")))
    sessions = store.rows("SELECT DISTINCT version, device, host FROM sessions ORDER BY 1, 2, 3")
    parts = [
        "<h2>How to get the same numbers</h2>",
        f"<p>Every count follows from the study and its seed ({seeds}); devices, interruptions and"
        " the order of points change none. Counted with:</p>",
        _html_table(("jaxcogc", "device", "host"), sessions, "sessions"),
    ]
    for number, study in enumerate(studies):
        path = "study.toml" if number == 0 else f"study{number + 1}.toml"
        command = f"jaxcogc collect {path} --store {store.path.name}"
        parts.append(
            f"<p>{path}:</p><pre>{html.escape(study.text)}</pre><pre>{html.escape(command)}</pre>"
        )
    parts.append(f"<p class='note'>Report made by jaxcogc {jaxcogc.__version__}.</p>")
    return "\n".join(parts)
