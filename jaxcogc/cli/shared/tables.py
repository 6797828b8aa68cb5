"""Result tables of the outage verb."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from jaxcogc.figures.outage_curves import OutagePoint
from jaxcogc.outage.intervals import Estimate
from jaxcogc.study.results.outcomes import MEANINGS

SECTIONS = ("gc_plus_full", "row_space_exact", "all_individuals")
"""Outcomes above which a table draws a line: each begins another decoder."""
SWEEP_COLUMNS = (
    ("gc_outage", "gc\noutage"),
    ("gc_plus_full", "GC+\nexact"),
    ("gc_plus_none", "GC+\nnothing"),
    ("row_space_exact", "row space\nexact"),
    ("row_space_none", "row space\nnothing"),
)
_WIDTH_FOR_MEANINGS = 112


def probability_text(value: float) -> str:
    """A probability in five digits.

    >>> probability_text(0.123456), probability_text(3.2e-7), probability_text(0.0)
    ('0.12346', '3.200e-07', '0')
    """
    if value in (0.0, 1.0):
        return f"{value:.0f}"
    return f"{value:.5f}" if value >= 0.001 else f"{value:.3e}"


def interval_text(estimate: Estimate) -> str:
    """The two ends of an interval.

    >>> interval_text(Estimate(0.1, 0.2, 0.3, method="wilson", level=0.95))
    '0.10000 – 0.30000'
    """
    return f"{probability_text(estimate.low)} – {probability_text(estimate.high)}"


def outcome_table(point: OutagePoint, *, title: str, caption: str, width: int) -> Table:
    """One run: a line for each outcome of each decoder; meanings where `width` columns allow."""
    table = new_table(title, caption)
    table.add_column("outcome", no_wrap=True)
    table.add_column("probability", justify="right", style="bold", no_wrap=True)
    level = 100 * point.outcomes.gc_outage.level
    table.add_column(f"{level:g} % interval", justify="right", no_wrap=True)
    table.add_column("closed form", justify="right", no_wrap=True)
    if width >= _WIDTH_FOR_MEANINGS:
        table.add_column("meaning", style="dim", no_wrap=True)
    for name, meaning in MEANINGS.items():
        if name in SECTIONS:
            table.add_section()
        estimate: Estimate = getattr(point.outcomes, name)
        closed_form = _closed_form_text(point) if name == "gc_outage" else ""
        cells = (name, probability_text(estimate), interval_text(estimate), closed_form, meaning)
        table.add_row(*cells[: len(table.columns)])
    table.add_section()
    pmf = point.outcomes.num_recovered_pmf
    for name, value, meaning in (
        ("mean_rank", point.outcomes.mean_rank, "independent rows that arrive"),
        ("mean recovered", float(np.arange(pmf.size) @ pmf), "clients recovered one by one"),
    ):
        table.add_row(*(name, f"{value:.3f}", "", "", meaning)[: len(table.columns)])
    return table


def sweep_table(points: Sequence[OutagePoint], *, title: str, caption: str) -> Table:
    """Several numbers of stragglers: a line for each, every estimate above its interval."""
    table = new_table(title, caption)
    table.show_lines = True
    table.add_column("\ns", justify="right", no_wrap=True)
    for name, header in SWEEP_COLUMNS:
        table.add_column(header, justify="right")
        if name == "gc_outage":
            table.add_column("closed\nform", justify="right", no_wrap=True)
    for point in points:
        cells: list[Text | str] = [f"{point.x:g}"]
        for name, _ in SWEEP_COLUMNS:
            estimate: Estimate = getattr(point.outcomes, name)
            lines = (probability_text(estimate), "bold"), "\n", (interval_text(estimate), "dim")
            cells.append(Text.assemble(*lines))
            if name == "gc_outage":
                cells.append(_closed_form_text(point))
        table.add_row(*cells)
    return table


def new_table(title: str, caption: str) -> Table:
    """An empty table in the style of all."""
    return Table(
        title=title,
        caption=caption,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        caption_style="dim",
    )


def _closed_form_text(point: OutagePoint) -> str:
    return "none known" if point.closed_form is None else probability_text(point.closed_form)
