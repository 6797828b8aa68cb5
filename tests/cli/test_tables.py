"""Tables that fit: no number is ever cut off, on a narrow terminal neither."""

import io

import pytest
from rich.console import Console

from jaxcogc.cli.outage.tables import outcome_table, sweep_table
from jaxcogc.cli.shared.printed_tables import new_table, print_table
from jaxcogc.outage.counts import OutcomeCounts, outcomes_from_counts
from jaxcogc.outage.laws.closed_form import ClosedForm
from jaxcogc.outage.outage_point import OutagePoint
from tests.cli.program import run_program


def _point(closed_form: float | None) -> OutagePoint:
    counts = OutcomeCounts.zero(3)._replace(
        trials=10**9, gc=10**9 - 7, gc_plus_full=10**9 - 123_456_789, row_space_exact=10**9
    )
    return OutagePoint(2, outcomes_from_counts(counts), ClosedForm(closed_form))


@pytest.mark.parametrize("width", [80, 100, 111, 112, 200])
@pytest.mark.parametrize("closed_form", [None, 7e-9])
def test_nothing_is_cut_off(width: int, closed_form: float | None) -> None:
    point = _point(closed_form)
    text = {"title": "title", "caption": "caption"}
    sweep = sweep_table([point, point], {"\ns": (2, 2)}, **text)
    tables = [outcome_table(point, width=width, **text), sweep]
    for table in tables:
        console = Console(file=io.StringIO(), width=width)
        console.print(table)
        shown = console.file.getvalue()  # type: ignore[attr-defined]
        assert "…" not in shown
        for words in ("7.000e-09", "0.12346", "title", "caption"):
            assert words in shown
        assert ("none known" in " ".join(shown.split())) == (closed_form is None)


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_narrow_terminals_lose_columns_and_no_number(width: int) -> None:
    table = new_table("title")
    columns = {"outcome": "gc_outage", "probability": "0.12346", "95 % interval": "0.1 – 0.98765"}
    columns |= {"closed form": "7.000e-09", "method": "clopper-pearson"}
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(*columns.values())
    console = Console(file=io.StringIO(), width=width)
    print_table(console, table, "method", "closed form")
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in shown
    for word in ("gc_outage", "0.12346", "0.1", "0.98765"):
        assert word in shown
    for name in ("method", "closed form"):
        left_out = name in shown.partition("left out")[2]
        assert left_out == (columns[name] not in shown)
    assert ("left out" in shown) == (width < 68)
    assert max(map(len, shown.splitlines())) <= max(width, 38)


def test_long_names_are_not_cut() -> None:
    names = [f"05-43-32-ff-03-db-a1-{number}" for number in (78, 79, 80)]
    table = new_table("title")
    for heading in ("client", "heard", "did not hear", "server heard it", "row"):
        table.add_column(heading)
    for name in names:
        table.add_row(name, " ".join(names), " ".join(names), "yes", f"arrived with {names[0]}")
    console = Console(file=io.StringIO(), width=120)
    print_table(console, table, "did not hear")
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in shown
    assert all(shown.count(name) == 7 for name in names[1:])


@pytest.mark.slow
def test_few_letters_are_enough() -> None:
    """A terminal that knows only ASCII gets the same numbers."""
    for verb in (["show", "--help"], ["bound", "--clients", "3", "--stragglers", "1"]):
        run = run_program(*verb, PYTHONIOENCODING="ascii:strict")
        assert run.returncode == 0, run.stderr
        assert (run.stdout + run.stderr).isascii()


def test_meanings_where_there_is_room() -> None:
    narrow, wide = (
        outcome_table(_point(None), title="", caption="", width=width) for width in (80, 120)
    )
    assert len(wide.columns) == len(narrow.columns) + 1
