"""The work of `jaxcogc show`: a table for people, files for programs."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

from jaxcogc.cli.shared.console import new_console
from jaxcogc.cli.shared.errors import UserError, rejected
from jaxcogc.cli.shared.outputs import write_file, write_text
from jaxcogc.cli.shared.printed_tables import new_table, print_table
from jaxcogc.cli.studies.options import ShowOptions
from jaxcogc.names import EVENTS, GAINS
from jaxcogc.number_text import interval_text, level_text, probability_text, value_text
from jaxcogc.study.results.point_results import PointResult, read_result
from jaxcogc.study.results.result_table import ResultTable, read_table
from jaxcogc.study.results.table_csv import csv_text
from jaxcogc.study.store.store import Store, open_store


def run(options: ShowOptions) -> int:
    """Show the store; returns the exit code."""
    if options.outcome is not None and options.outcome not in (*EVENTS, *GAINS):
        raise rejected("--outcome", options.outcome, ", ".join((*EVENTS, *GAINS)))
    with open_store(options.store) as store:
        table = read_table(store)
        if not table.results:
            raise UserError(f"--store: {options.store}: holds no point yet")
        axes = table.varying_axes
        if options.versus is not None:
            table = _compared(store, table, options.versus, options.outcome)
    table = select(table, options.filter, options.sort)
    if options.csv is not None:
        write_text("--csv", options.csv, csv_text(table))
    if options.json is not None:
        write_text("--json", options.json, json.dumps({"points": table.rows}, indent=1) + "\n")
    if options.parquet is not None:
        _write_parquet(options.parquet, table)
    if not (options.csv or options.json or options.parquet):
        _print(table, axes, options)
    return 0


def select(table: ResultTable, filters: Sequence[str], sort: str | None) -> ResultTable:
    """The points that meet all conditions, sorted (UserError for a mistake in them)."""
    for condition in filters:
        try:
            table = table.where(condition)
        except ValueError as error:
            raise UserError(f"--filter: {error}") from error
    if sort is not None:
        try:
            table = table.sorted_by(sort)
        except ValueError as error:
            raise UserError(f"--sort: {error}") from error
    return table


def _compared(store: Store, table: ResultTable, versus: str, outcome: str | None) -> ResultTable:
    """With each point's probability less that of the point named by --versus."""
    reference = read_result(store, store.find_point(versus))
    if outcome in GAINS:
        raise rejected("--outcome", outcome, f"one of {', '.join(EVENTS)} with --versus")
    return table.compared(store, reference, outcome)


def _write_parquet(target: str, table: ResultTable) -> None:
    import pandas

    stream = io.BytesIO()
    pandas.DataFrame(table.rows).to_parquet(stream)
    write_file("--parquet", target, stream.getvalue())


def _print(table: ResultTable, axes: Sequence[str], options: ShowOptions) -> None:
    console = new_console(200, stderr=False)
    watched = table.watched
    outcome = options.outcome or (watched[0] if len(watched) == 1 else None)
    shown = new_table(_title(table, axes))
    shown.add_column("point", no_wrap=True, style="dim")
    for name in axes:
        shown.add_column(name.replace("_", "\n"), justify="right")
    shown.add_column("trials", justify="right")
    shown.add_column("stopped by")
    shown.add_column(outcome or "watched", justify="right", style="bold", no_wrap=True)
    shown.add_column(f"{level_text(*table.levels)} interval", justify="right", no_wrap=True)
    shown.add_column("method")
    if outcome == "gc_outage":
        shown.add_column("closed form", justify="right", no_wrap=True)
    if options.versus is not None:
        shown.add_column(f"less {options.versus[:8]}", justify="right")
    for result in table.results:
        cells = [result.point.id[:8], *(value_text(result.label(name)) for name in axes)]
        cells += [f"{result.trials:,}", result.reason]
        cells += _estimate_cells(result, outcome or result.watched)
        if outcome == "gc_outage":
            law = result.closed_form
            cells.append("" if law is None else probability_text(law))
        if options.versus is not None:
            found = table.differences[result.point.id].estimate
            text = "{0.best:+.2e} ({0.low:+.2e} – {0.high:+.2e})"
            cells.append("" if found is None else text.format(found))
        shown.add_row(*cells)
    print_table(console, shown, "method", "stopped by", "trials", "closed form")


def _estimate_cells(result: PointResult, outcome: str) -> list[str]:
    found = result.estimates.get(outcome)
    if found is None:
        return ["", "", ""]
    return [probability_text(found), interval_text(found.low, found.high), found.method]


def _title(table: ResultTable, axes: Sequence[str]) -> str:
    """What all points have in common."""
    if not table.results:
        return "no point meets the conditions"
    values = {name: table.results[0].label(name) for name in table.axes if name not in axes}
    same = [
        f"{name} {value_text(value)}"
        for name, value in values.items()
        if value is not None and value is not False
    ]
    return " · ".join(same)
