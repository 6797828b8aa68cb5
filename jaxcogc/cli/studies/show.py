"""`jaxcogc show`: what is in a store."""

from __future__ import annotations

import dataclasses

from jaxcogc.cli.shared.options import option, output
from jaxcogc.cli.studies.store_options import StoreOptions, filter_option, store_errors


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShowOptions(StoreOptions):
    """What can be asked."""

    outcome: str | None = option("NAME", "Shown in the table, instead of the watched.")
    sort: str | None = option("COLUMN", "Order; -COLUMN for descending.")
    filter: tuple[str, ...] = filter_option()
    versus: str | None = option("POINT", "Add each point's difference from this one.")
    csv: str | None = output("FILE|-", "All columns as CSV.")
    parquet: str | None = output("FILE", "The same as Parquet.", ".parquet")
    json: str | None = output("FILE|-", "The same as JSON.")


def show(options: ShowOptions) -> int:
    """Show what a store holds: a line for each point, with intervals, methods, reasons to stop.

    The table goes to standard output, unless one of --csv, --parquet and --json is given.
    """
    from jaxcogc.cli.studies.show_run import run

    with store_errors():
        return run(options)
