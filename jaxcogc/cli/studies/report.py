"""`jaxcogc report`: one HTML page about a study."""

from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.outputs import write_file
from jaxcogc.cli.studies.options import ReportOptions
from jaxcogc.cli.studies.store_errors import store_errors


def report(options: ReportOptions) -> int:
    """Write one self-contained page: curves, heat map, best stragglers, a table with search.

    It needs no network and no other file, and tells how to get the same numbers again.
    """
    with store_errors():
        from jaxcogc.figures.studies.report_page import report_page
        from jaxcogc.study.store.store_file import StoreError

        try:
            page = report_page(options.store)
        except StoreError:
            raise
        except ValueError as error:
            raise UserError(f"--store: {options.store}: {error}") from error
    write_file("--out", options.out, page.encode())
    return 0
