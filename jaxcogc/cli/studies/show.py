"""`jaxcogc show`: what is in a store."""

from __future__ import annotations

import dataclasses

from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.options import option
from jaxcogc.cli.shared.outputs import check_suffix, check_target
from jaxcogc.cli.studies.store_options import StoreOptions, filter_option, store_errors


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShowOptions(StoreOptions):
    """What can be asked."""

    outcome: str | None = option("NAME", "Shown in the table, instead of the watched.")
    sort: str | None = option("COLUMN", "Order; -COLUMN for descending.")
    filter: tuple[str, ...] = filter_option()
    versus: str | None = option("POINT", "Add each point's difference from this one.")
    csv: str | None = option("FILE|-", "All columns as CSV.")
    parquet: str | None = option("FILE", "The same as Parquet.")
    json: str | None = option("FILE|-", "The same as JSON.")


def show(options: ShowOptions) -> int:
    """Show what a store holds: a line for each point, with intervals, methods, reasons to stop.

    The table goes to standard output, unless one of --csv, --parquet and --json is given.
    """
    targets = [
        path
        for name in ("csv", "parquet", "json")
        if (path := check_target(options.flag(name), getattr(options, name))) is not None
    ]
    check_suffix("--parquet", options.parquet, (".parquet",))
    if len(set(targets)) < len(targets) or (options.csv == options.json == "-"):
        raise UserError("--csv, --parquet, --json: allowed is another target for each")
    from jaxcogc.cli.studies.show_run import run

    with store_errors():
        return run(options)
