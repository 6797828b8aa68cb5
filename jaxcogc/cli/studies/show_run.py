"""The work of `jaxcogc show`: a table for people, files for programs."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from jaxcogc.cli.shared.console import new_console
from jaxcogc.cli.shared.errors import UserError, rejected
from jaxcogc.cli.shared.outputs import STDOUT, write_file
from jaxcogc.cli.shared.tables import probability_text
from jaxcogc.study.results.filters import Row, axes_of, filter_rows, sort_rows
from jaxcogc.study.results.outcomes import GAINS, OUTCOMES
from jaxcogc.study.results.records import records
from jaxcogc.study.results.stored_results import difference, find_point, view_point, view_points
from jaxcogc.study.store.store import Store, open_store


class ShowRequest(NamedTuple):
    """The options of the verb."""

    store: str
    outcome: str | None
    sort: str | None
    filters: tuple[str, ...]
    versus: str | None
    csv: str | None
    parquet: str | None
    json: str | None


def run(request: ShowRequest) -> int:
    """Show the store; returns the exit code."""
    if request.outcome is not None and request.outcome not in (*OUTCOMES, *GAINS):
        raise rejected("--outcome", request.outcome, ", ".join((*OUTCOMES, *GAINS)))
    with open_store(request.store) as store:
        rows = records(store)
        if not rows:
            raise UserError(f"--store: {request.store}: holds no point yet")
        axes = axes_of(rows)
        if request.versus is not None:
            _add_differences(store, rows, request)
    rows = select(rows, request.filters, request.sort)
    if request.csv is not None:
        _write("--csv", request.csv, csv_text(rows))
    if request.json is not None:
        _write("--json", request.json, json.dumps({"points": rows}, indent=1) + "\n")
    if request.parquet is not None:
        _write_parquet(request.parquet, rows)
    if not (request.csv or request.json or request.parquet):
        _print(rows, axes, request)
    return 0


def select(rows: list[Row], filters: Sequence[str], sort: str | None) -> list[Row]:
    """The rows that meet all conditions, sorted (UserError for a mistake in them)."""
    for condition in filters:
        try:
            rows = filter_rows(rows, condition)
        except ValueError as error:
            raise UserError(f"--filter: {error}") from error
    if sort is not None and rows:
        try:
            rows = sort_rows(rows, sort)
        except ValueError as error:
            raise UserError(f"--sort: {error}") from error
    return rows


def _add_differences(store: Store, rows: list[Row], request: ShowRequest) -> None:
    """Columns for each point's probability less that of the point named by --versus."""
    assert request.versus is not None
    reference = view_point(store, find_point(store, request.versus))
    for row, view in zip(rows, view_points(store), strict=True):
        outcome = request.outcome or view.rule.outcome
        if outcome not in OUTCOMES:
            raise rejected("--outcome", outcome, f"one of {', '.join(OUTCOMES)} with --versus")
        found = difference(store, view, reference, outcome)
        row["versus"], row["versus_outcome"] = reference.stored.id, outcome
        row["difference"] = None if found is None else found.best
        row["difference_low"] = None if found is None else found.low
        row["difference_high"] = None if found is None else found.high
        row["difference_method"] = None if found is None else found.method


def csv_text(rows: Sequence[Row]) -> str:
    """The rows as CSV; null is an empty cell, and no cell needs quotes."""
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_NONE, lineterminator="\n")
    if rows:
        writer.writerow(rows[0])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value


def _write(field: str, target: str, text: str) -> None:
    if target == STDOUT:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write_file(field, Path(target), text.encode())


def _write_parquet(target: str, rows: Sequence[Row]) -> None:
    import pandas

    stream = io.BytesIO()
    pandas.DataFrame(rows).to_parquet(stream)
    write_file("--parquet", Path(target), stream.getvalue())


def _print(rows: Sequence[Row], axes: Sequence[str], request: ShowRequest) -> None:
    console = new_console(200, stderr=False)
    watched = list(dict.fromkeys(row["watched"] for row in rows))
    outcome = request.outcome or (watched[0] if len(watched) == 1 else None)
    level = ", ".join(f"{100 * x:g} %" for x in dict.fromkeys(row["level"] for row in rows))
    table = Table(title=_title(rows, axes), title_justify="left", title_style="bold")
    table.add_column("point", no_wrap=True, style="dim")
    for name in axes:
        table.add_column(name.replace("_", "\n"), justify="right")
    table.add_column("trials", justify="right")
    table.add_column("stopped by")
    table.add_column(outcome or "watched", justify="right", style="bold", no_wrap=True)
    table.add_column(f"{level} interval", justify="right", no_wrap=True)
    table.add_column("method")
    if (outcome or "") == "gc_outage":
        table.add_column("closed form", justify="right", no_wrap=True)
    if request.versus is not None:
        table.add_column(f"less {request.versus[:8]}", justify="right")
    for row in rows:
        table.add_row(*_cells(row, axes, outcome or row["watched"], request))
    console.print(table)


def _cells(row: Row, axes: Sequence[str], outcome: str, request: ShowRequest) -> list[str]:
    cells = [row["point"][:8], *(_text(row[name]) for name in axes)]
    cells += [f"{row['trials']:,}", row["reason"]]
    best, low, high = (row[f"{outcome}{end}"] for end in ("", "_low", "_high"))
    if best is None:
        cells += ["", "", ""]
    else:
        ends = f"{probability_text(low)} – {probability_text(high)}"
        cells += [probability_text(best), ends, row[f"{outcome}_method"]]
    if (request.outcome or row["watched"]) == "gc_outage":
        law = row["gc_outage_closed_form"]
        cells.append("" if law is None else probability_text(law))
    if request.versus is not None:
        found = [row[f"difference{end}"] for end in ("", "_low", "_high")]
        cells.append("" if found[0] is None else "{:+.2e} ({:+.2e} – {:+.2e})".format(*found))
    return cells


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(_cell(value))


def _title(rows: Sequence[Row], axes: Sequence[str]) -> str:
    """What all points have in common."""
    if not rows:
        return "no point meets the conditions"
    first = rows[0]
    names = list(first)[1 : list(first).index("watched")]
    same = [
        f"{name} {_text(first[name])}"
        for name in names
        if name not in axes and first[name] is not None and first[name] is not False
    ]
    return " · ".join(same)
