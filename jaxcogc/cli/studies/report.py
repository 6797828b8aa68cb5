"""`jaxcogc report`: one HTML page about a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.options import StorePath, option
from jaxcogc.cli.shared.outputs import check_suffix, check_target, write_file
from jaxcogc.cli.shared.store_errors import store_errors

Out = Annotated[str, option("--out", "FILE.html", "The page.")]


def report(store: StorePath, out: Out) -> int:
    """Write one self-contained page: curves, heat map, best stragglers, a table with search.

    It needs no network and no other file, and tells how to get the same numbers again.
    """
    check_suffix("--out", out, (".html", ".htm"))
    check_target("--out", out)
    with store_errors():
        from jaxcogc.figures.report_page import report_page
        from jaxcogc.study.store.store_file import StoreError

        try:
            page = report_page(store)
        except StoreError:
            raise
        except ValueError as error:
            raise UserError(f"--store: {store}: {error}") from error
    write_file("--out", Path(out), page.encode())
    return 0
