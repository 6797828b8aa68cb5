"""The report of a study: one HTML page that needs nothing else."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jaxcogc
from jaxcogc.names import HARMFUL_OUTCOMES, OUTCOMES
from jaxcogc.number_text import estimate_text, level_text, value_text
from jaxcogc.study.results.filters import Row, axes_of
from jaxcogc.study.results.records import records
from jaxcogc.study.store.store import Store, open_store

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
        rows = records(opened)
        studies = opened.rows("SELECT name, description, text FROM studies ORDER BY date")
        sections = [*_head(rows, studies), *_figures(rows)]
        sections += [_best(rows), _table(rows), _origin(opened, rows, studies, Path(store).name)]
    title = html.escape(" · ".join(name for name, *_ in studies) or "study")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<link rel='icon' href='data:,'><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(sections)
        + f"\n<script>{_SCRIPT}</script>\n</body></html>\n"
    )


def _head(rows: Sequence[Row], studies: Iterable[tuple[Any, ...]]) -> list[str]:
    parts = []
    for name, description, _ in studies:
        parts.append(f"<h1>{html.escape(name)}</h1><p>{html.escape(description)}</p>")
    counted = [row for row in rows if row["trials"]]
    if not counted:
        raise ValueError("the store holds no counted point yet")
    axes = [f"{name} ({len({str(row[name]) for row in rows})})" for name in axes_of(rows)]
    reasons: dict[str, int] = {}
    for row in rows:
        reasons[row["reason"]] = reasons.get(row["reason"], 0) + 1
    told = ", ".join(f"{number} by {reason}" for reason, number in reasons.items())
    trials = sum(row["trials"] for row in rows)
    parts.append(
        f"<p>{len(rows)} points, {trials:,} trials. Axes: {html.escape(', '.join(axes) or 'none')}."
        f" Stopped: {told}.</p>"
    )
    return parts


def _figures(rows: Sequence[Row]) -> list[str]:
    from plotly.io import to_html

    from jaxcogc.figures.report_figures import curve_figures, heat_map

    counted = [row for row in rows if row["trials"]]
    parts, scripts_there = [], False

    def embed(figure: Any) -> str:
        nonlocal scripts_there
        page = to_html(
            figure,
            full_html=False,
            include_plotlyjs=not scripts_there,
            config={"displaylogo": False, "responsive": True},
        )
        scripts_there = True
        return str(page)

    for outcome in dict.fromkeys(row["watched"] for row in counted):
        parts.append(f"<h2>{outcome}</h2><p>{OUTCOMES[outcome]}. Bands are intervals.</p>")
        parts += [embed(figure) for figure in curve_figures(counted, outcome)]
        picture = heat_map(counted, outcome)
        if picture is not None:
            parts.append(f"<h2>{outcome} over the grid</h2>" + embed(picture))
    return parts


def best_stragglers(rows: Sequence[Row]) -> list[tuple[dict[str, Any], Row, bool]]:
    """Of the points that differ in the stragglers alone, the best.

    Returns:
      For each combination of the other axes: their values, the row whose watched probability is
      best (lowest, of a failure), and whether its interval is apart from all others'.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    axes = [name for name in axes_of(rows) if name != "stragglers"]
    for row in rows:
        if row["trials"]:
            groups.setdefault(tuple(str(row[name]) for name in axes), []).append(row)
    found = []
    for members in groups.values():
        outcome = members[0]["watched"]
        sign = 1 if outcome in HARMFUL_OUTCOMES else -1
        best = min(members, key=lambda row: sign * row[outcome])
        ends = ("_low", "_high") if sign > 0 else ("_high", "_low")
        others = [row for row in members if row is not best]
        apart = all(
            sign * row[outcome + ends[0]] > sign * best[outcome + ends[1]] for row in others
        )
        found.append(({name: best[name] for name in axes}, best, apart))
    return found


def _best(rows: Sequence[Row]) -> str:
    if len({row["stragglers"] for row in rows}) < 2:
        return ""
    lines = []
    for values, row, apart in best_stragglers(rows):
        outcome = row["watched"]
        cells = [value_text(value) for value in values.values()]
        cells += [value_text(row["stragglers"]), _interval(row, outcome), "yes" if apart else "no"]
        lines.append(cells)
    axes = [name for name in axes_of(rows) if name != "stragglers"]
    header = [*axes, "best stragglers", rows[0]["watched"], "apart from the others"]
    return (
        "<h2>Best stragglers</h2><p class='note'>“Apart” when the intervals do not overlap.</p>"
        + f"<div class='wide'>{_html_table(header, lines, 'best')}</div>"
    )


def _interval(row: Row, outcome: str) -> str:
    if row[outcome] is None:
        return ""
    return estimate_text(row[outcome], row[f"{outcome}_low"], row[f"{outcome}_high"])


def _table(rows: Sequence[Row]) -> str:
    axes = axes_of(rows)
    outcomes = list(dict.fromkeys([row["watched"] for row in rows]))
    outcomes += [o for o in HARMFUL_OUTCOMES if o not in outcomes]
    header = ["point", *axes, "trials", "stopped by"]
    header += [part for outcome in outcomes for part in (outcome, "method")] + ["closed form"]
    lines = []
    for row in rows:
        cells = [row["point"], *(value_text(row[name]) for name in axes)]
        cells += [f"{row['trials']:,}", row["reason"]]
        for outcome in outcomes:
            cells += [_interval(row, outcome), row[f"{outcome}_method"] or ""]
        law = row["gc_outage_closed_form"]
        lines.append([*cells, "" if law is None else f"{law:.4g}"])
    level = level_text(*(row["level"] for row in rows))
    return (
        f"<h2>All points</h2><p class='note'>{level} intervals.</p>"
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


def _origin(
    store: Store, rows: Sequence[Row], studies: Iterable[tuple[Any, ...]], name: str
) -> str:
    seeds = ", ".join(str(seed) for seed in dict.fromkeys(row["seed"] for row in rows))
    sessions = store.rows("SELECT DISTINCT version, device, host FROM sessions ORDER BY 1, 2, 3")
    parts = [
        "<h2>How to get the same numbers</h2>",
        f"<p>Every count follows from the study and its seed ({seeds}); devices, interruptions and"
        " the order of points change none. Counted with:</p>",
        _html_table(("jaxcogc", "device", "host"), sessions, "sessions"),
    ]
    for number, (_, _, toml) in enumerate(studies):
        path = "study.toml" if number == 0 else f"study{number + 1}.toml"
        command = f"jaxcogc collect {path} --store {name}"
        parts.append(
            f"<p>{path}:</p><pre>{html.escape(toml)}</pre><pre>{html.escape(command)}</pre>"
        )
    parts.append(f"<p class='note'>Report made by jaxcogc {jaxcogc.__version__}.</p>")
    return "\n".join(parts)
