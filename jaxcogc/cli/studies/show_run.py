"""The work of `jaxcogc show`: a table for people, files for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from jaxcogc.cli.shared.console import new_console
from jaxcogc.cli.shared.errors import UserError, rejected
from jaxcogc.cli.shared.outputs import write_file, write_text
from jaxcogc.cli.shared.printed_tables import new_table, print_table
from jaxcogc.cli.studies.show import ShowOptions
from jaxcogc.names import GAINS, OUTCOMES
from jaxcogc.number_text import interval_text, level_text, probability_text, value_text
from jaxcogc.study.results.filters import Row, axes_of, filter_rows, sort_rows
from jaxcogc.study.results.records import records
from jaxcogc.study.results.stored_results import difference, find_point, view_point, view_points
from jaxcogc.study.store.store import Store, open_store


def run(options: ShowOptions) -> int:
    """Show the store; returns the exit code."""
    if options.outcome is not None and options.outcome not in (*OUTCOMES, *GAINS):
        raise rejected("--outcome", options.outcome, ", ".join((*OUTCOMES, *GAINS)))
    with open_store(options.store) as store:
        rows = records(store)
        if not rows:
            raise UserError(f"--store: {options.store}: holds no point yet")
        axes = axes_of(rows)
        if options.versus is not None:
            _add_differences(store, rows, options)
    rows = select(rows, options.filter, options.sort)
    if options.csv is not None:
        write_text("--csv", options.csv, csv_text(rows))
    if options.json is not None:
        write_text("--json", options.json, json.dumps({"points": rows}, indent=1) + "\n")
    if options.parquet is not None:
        _write_parquet(options.parquet, rows)
    if not (options.csv or options.json or options.parquet):
        _print(rows, axes, options)
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


def _add_differences(store: Store, rows: list[Row], options: ShowOptions) -> None:
    """Columns for each point's probability less that of the point named by --versus."""
    assert options.versus is not None
    reference = view_point(store, find_point(store, options.versus))
    for row, view in zip(rows, view_points(store), strict=True):
        outcome = options.outcome or view.rule.outcome
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


def _write_parquet(target: str, rows: Sequence[Row]) -> None:
    import pandas

    stream = io.BytesIO()
    pandas.DataFrame(rows).to_parquet(stream)
    write_file("--parquet", target, stream.getvalue())


def _print(rows: Sequence[Row], axes: Sequence[str], options: ShowOptions) -> None:
    console = new_console(200, stderr=False)
    watched = list(dict.fromkeys(row["watched"] for row in rows))
    outcome = options.outcome or (watched[0] if len(watched) == 1 else None)
    level = level_text(*(row["level"] for row in rows))
    table = new_table(_title(rows, axes))
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
    if options.versus is not None:
        table.add_column(f"less {options.versus[:8]}", justify="right")
    for row in rows:
        table.add_row(*_cells(row, axes, outcome or row["watched"], options))
    print_table(console, table, "method", "stopped by", "trials", "closed form")


def _cells(row: Row, axes: Sequence[str], outcome: str, options: ShowOptions) -> list[str]:
    cells = [row["point"][:8], *(value_text(row[name]) for name in axes)]
    cells += [f"{row['trials']:,}", row["reason"]]
    best, low, high = (row[f"{outcome}{end}"] for end in ("", "_low", "_high"))
    if best is None:
        cells += ["", "", ""]
    else:
        cells += [probability_text(best), interval_text(low, high), row[f"{outcome}_method"]]
    if (options.outcome or row["watched"]) == "gc_outage":
        law = row["gc_outage_closed_form"]
        cells.append("" if law is None else probability_text(law))
    if options.versus is not None:
        found = [row[f"difference{end}"] for end in ("", "_low", "_high")]
        cells.append("" if found[0] is None else "{:+.2e} ({:+.2e} – {:+.2e})".format(*found))
    return cells


def _title(rows: Sequence[Row], axes: Sequence[str]) -> str:
    """What all points have in common."""
    if not rows:
        return "no point meets the conditions"
    first = rows[0]
    names = list(first)[1 : list(first).index("watched")]
    same = [
        f"{name} {value_text(first[name])}"
        for name in names
        if name not in axes and first[name] is not None and first[name] is not False
    ]
    return " · ".join(same)
