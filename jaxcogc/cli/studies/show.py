"""`jaxcogc show` and `jaxcogc merge`: what is in a store, and one store from several."""

from __future__ import annotations

from typing import Annotated

import typer

from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.options import Filter, StorePath, Text, option
from jaxcogc.cli.shared.outputs import check_suffix, check_target
from jaxcogc.cli.shared.store_errors import store_errors

Outcome = Annotated[
    Text, option("--outcome", "NAME", "Shown in the table, instead of the watched.")
]
Sort = Annotated[Text, option("--sort", "COLUMN", "Order; -COLUMN for descending.")]
Versus = Annotated[Text, option("--versus", "POINT", "Add each point's difference from this one.")]
Csv = Annotated[Text, option("--csv", "FILE|-", "All columns as CSV.")]
Parquet = Annotated[Text, option("--parquet", "FILE", "The same as Parquet.")]
Json = Annotated[Text, option("--json", "FILE|-", "The same as JSON.")]


def show(
    store: StorePath,
    outcome: Outcome = None,
    sort: Sort = None,
    filter: Filter = None,
    versus: Versus = None,
    csv: Csv = None,
    parquet: Parquet = None,
    json: Json = None,
) -> int:
    """Show what a store holds: a line for each point, with intervals, methods, reasons to stop.

    The table goes to standard output, unless one of --csv, --parquet and --json is given.
    """
    targets = [
        path
        for field, text in (("--csv", csv), ("--parquet", parquet), ("--json", json))
        if (path := check_target(field, text)) is not None
    ]
    check_suffix("--parquet", parquet, (".parquet",))
    if len(set(targets)) < len(targets) or (csv == json == "-"):
        raise UserError("--csv, --parquet, --json: allowed is another target for each")
    from jaxcogc.cli.studies.show_run import ShowRequest, run

    request = ShowRequest(store, outcome, sort, tuple(filter or ()), versus, csv, parquet, json)
    with store_errors():
        return run(request)


Sources = Annotated[
    list[str], typer.Argument(metavar="FILE...", help="Stores to take blocks from.")
]
Target = Annotated[str, option("--store", "FILE", "The store to add to; made if need be.")]


def merge(sources: Sources, store: Target) -> int:
    """Unite stores of several machines: every block of every point, each once.

    A block that two stores hold must have the same counts in both; nothing is added otherwise.
    """
    check_target("--store", store)
    with store_errors():
        from jaxcogc.study.store.merging import merge_stores

        new, known, points = merge_stores(sources, store)
    print(f"{store}: {new:,} blocks added, {known:,} were there; {points:,} points")
    return 0
