"""`jaxcogc show`: what is in a store."""

from jaxcogc.cli.studies.options import ShowOptions
from jaxcogc.cli.studies.store_errors import store_errors


def show(options: ShowOptions) -> int:
    """Show what a store holds: a line for each point, with its intervals and why it stopped.

    The table goes to standard output, unless one of --csv, --parquet and --json is given.
    """
    from jaxcogc.cli.studies.show_run import run

    with store_errors():
        return run(options)
