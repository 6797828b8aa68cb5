"""Tables of the report page, and the same numbers for a program."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence

from jaxcogc.figures.labels import outcome_label
from jaxcogc.names import HARMFUL_OUTCOMES
from jaxcogc.number_text import estimate_text, level_text, value_text
from jaxcogc.outage.intervals import Estimate
from jaxcogc.study.results.best_stragglers import best_stragglers
from jaxcogc.study.results.result_table import ResultTable
from jaxcogc.study.results.table_csv import csv_text


def best_section(table: ResultTable) -> str:
    """The best number of stragglers of each setting; nothing where there is one alone."""
    if len(table.values("stragglers")) < 2:
        return ""
    lines = []
    several = len(table.counted.watched) > 1
    words = {True: "yes", False: "no", None: "no other"}
    for setting, outcome, result, apart in best_stragglers(table):
        cells = [*map(value_text, setting.values()), *([outcome_label(outcome)] * several)]
        cells += [value_text(result.point.stragglers), _interval(result.estimates[outcome])]
        lines.append([*cells, words[apart]])
    axes = [name for name in table.varying_axes if name != "stragglers"]
    watched = ["outcome"] if several else []
    header = [*axes, *watched, "best stragglers"]
    probability = "" if several else f": {outcome_label(table.counted.watched[0])}"
    header += ["probability" + probability, "apart from the others"]
    return (
        "<h2>Best stragglers</h2><p class='note'>“Apart” when the intervals do not overlap;"
        " “no other” where one number of stragglers alone was counted.</p>"
        + html_table(header, lines, "best")
    )


def _interval(estimate: Estimate | None) -> str:
    return "" if estimate is None else estimate_text(estimate.best, estimate.low, estimate.high)


def points_section(table: ResultTable, name: str) -> str:
    """All points, with a search, in an order that the reader chooses, and as CSV.

    Args:
      table: the results.
      name: of the CSV file, without its ending.
    """
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
    file = html.escape(f"{name}.csv", quote=True)
    return (
        f"<h2>All points</h2><p class='note'>{level_text(*table.levels)} intervals. A click on the "
        "name of a column sorts by it.</p>"
        "<p><label for='filter'>Show the points with these words: </label>"
        "<input id='filter' type='search' autocomplete='off'>"
        " <span id='shown' role='status'></span></p>"
        f"<p><a id='csv' download='{file}' href='{_csv_address(table)}'>All columns as CSV</a></p>"
        + html_table(header, lines, "points")
    )


def _csv_address(table: ResultTable) -> str:
    """What `jaxcogc show --csv` writes, in the address itself."""
    return "data:text/csv;base64," + base64.b64encode(csv_text(table).encode()).decode()


def html_table(header: Sequence[str], lines: Iterable[Sequence[str]], name: str) -> str:
    """A table that is wider than a phone, and sorted by any of its columns."""
    button = "<th scope='col' aria-sort='none'><button type='button'>{}</button></th>"
    head = "".join(button.format(html.escape(cell)) for cell in header)
    body = "".join(_line(line) for line in lines)
    return (
        f"<div class='wide' tabindex='0' role='region' aria-label='table: {name}'>"
        f"<table id='{name}'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _line(cells: Sequence[str]) -> str:
    first, *others = (html.escape(str(cell)) for cell in cells)
    rest = "".join(f"<td>{cell}</td>" for cell in others)
    return f"<tr><th scope='row'>{first}</th>{rest}</tr>"
