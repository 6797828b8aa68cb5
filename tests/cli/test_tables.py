"""Tables that fit: no number is ever cut off, on a narrow terminal neither."""

import io

import pytest
from rich.console import Console

from jaxcogc.cli.shared.tables import outcome_table, sweep_table
from jaxcogc.outage.counts import OutcomeCounts, outcomes_from_counts
from jaxcogc.outage.outage_point import OutagePoint


def _point(closed_form: float | None) -> OutagePoint:
    counts = OutcomeCounts.zero(3)._replace(
        trials=10**9, gc=10**9 - 7, gc_plus_full=123_456_789, row_space_exact=10**9
    )
    return OutagePoint(2, outcomes_from_counts(counts), closed_form)


@pytest.mark.parametrize("width", [80, 100, 111, 112, 200])
@pytest.mark.parametrize("closed_form", [None, 7e-9])
def test_nothing_is_cut_off(width: int, closed_form: float | None) -> None:
    point = _point(closed_form)
    text = {"title": "title", "caption": "caption"}
    tables = [outcome_table(point, width=width, **text), sweep_table([point, point], **text)]
    for table in tables:
        console = Console(file=io.StringIO(), width=width)
        console.print(table)
        shown = console.file.getvalue()  # type: ignore[attr-defined]
        assert "…" not in shown
        for words in ("7.000e-09", "0.12346", "title", "caption"):
            assert words in shown
        assert ("none known" in " ".join(shown.split())) == (closed_form is None)


def test_meanings_where_there_is_room() -> None:
    narrow, wide = (
        outcome_table(_point(None), title="", caption="", width=width) for width in (80, 120)
    )
    assert len(wide.columns) == len(narrow.columns) + 1
