"""The results of a store as CSV: the same whoever writes it."""

from __future__ import annotations

import csv
import io

from jaxcogc.study.results.result_table import ResultTable
from jaxcogc.study.specification.point import Value


def csv_text(table: ResultTable) -> str:
    """A line for each point after that of the columns; null is an empty cell, true is "true"."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([row.keys() for row in table.rows[:1]])
    writer.writerows([_cell(value) for value in row.values()] for row in table.rows)
    return stream.getvalue()


def _cell(value: Value) -> Value:
    return str(value).lower() if isinstance(value, bool) else value
