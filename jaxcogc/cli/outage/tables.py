"""Result tables of the outage verb."""

from collections.abc import Mapping, Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from jaxcogc.cli.shared.printed_tables import new_table
from jaxcogc.names import EVENTS
from jaxcogc.number_text import interval_text, level_text, probability_text
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.laws.closed_form import ClosedForm
from jaxcogc.outage.outage_point import OutagePoint
from jaxcogc.outage.outcomes import CONTRARIES

SECTIONS = ("gc_plus_full", "row_space_exact", "all_individuals")
"""Outcomes above which a table draws a line: below the outages each begins another decoder."""
SWEEP_COLUMNS = (
    ("gc_outage", "gc\noutage"),
    ("gc_plus_outage", "GC+\noutage"),
    ("row_space_outage", "row space\noutage"),
    ("gc_plus_none", "GC+\nnothing"),
    ("row_space_none", "row space\nnothing"),
)
WORTH = "worth plain\ntrials"
"""Heading of how many plain trials a trial was worth, where trials are sorted into strata."""
EXPENDABLE = ("closed form", "closed\nform", "GC+\nnothing", "row space\nnothing", WORTH)
"""Columns that a narrow terminal does without."""
_WIDTH_FOR_OUTCOMES = 112
_FEW_DIGITS = 1e-9


def outcome_table(point: OutagePoint, *, title: str, caption: str, width: int) -> Table:
    """One run: a line for each outcome of each decoder; meanings where `width` columns allow."""
    table = new_table(title, caption)
    table.add_column("outcome", no_wrap=True)
    table.add_column("probability", justify="right", style="bold", no_wrap=True)
    level = level_text(point.outcomes.gc_outage.level)
    table.add_column(f"{level} interval", justify="right", no_wrap=True)
    table.add_column("closed form", justify="right", no_wrap=True)
    worth = point.outcomes.plain_trials_worth
    if worth is not None:
        table.add_column(WORTH, justify="right", no_wrap=True)
        width -= 14
    if width >= _WIDTH_FOR_OUTCOMES:
        table.add_column("meaning", style="dim", no_wrap=True)
    for name, estimate in point.outcomes.estimates().items():
        if name in SECTIONS:
            table.add_section()
        law = closed_form_text(point.closed_form, name)
        interval = interval_text(estimate.low, estimate.high)
        cells = [name, probability_text(estimate), interval, law]
        if worth is not None:
            times = worth[CONTRARIES.get(name, name)]
            cells.append("" if times is None else f"{times:.1f}")
        cells.append(EVENTS[name])
        table.add_row(*cells[: len(table.columns)])
    table.add_section()
    for name, value, meaning in _means(point):
        empty = [""] * (2 if worth is None else 3)
        table.add_row(*[name, f"{value:.3f}", *empty, meaning][: len(table.columns)])
    return table


def _means(point: OutagePoint) -> list[tuple[str, float, str]]:
    pmf = point.outcomes.num_recovered_pmf
    found = [
        ("mean_rank", point.outcomes.mean_rank, "independent rows that arrive"),
        ("mean recovered", float(np.arange(pmf.size) @ pmf), "clients recovered one by one"),
    ]
    if point.rounds is not None and point.rounds.mean_hold_run is not None:
        run = point.rounds.mean_hold_run
        found.append(("mean_hold_run", run, "failed rounds in a row, standard decoding"))
    return found


def sweep_table(
    points: Sequence[OutagePoint],
    axes: Mapping[str, Sequence[float]],
    *,
    title: str,
    caption: str,
) -> Table:
    """Several settings: a line for each, every estimate above its interval.

    Args:
      points: what was found of each.
      axes: by heading, in what they differ: a value of each.
      title, caption: of the table.
    """
    table = new_table(title, caption)
    table.show_lines = True
    for heading in axes:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, header in SWEEP_COLUMNS:
        table.add_column(header, justify="right")
        if name == "gc_outage":
            table.add_column("closed\nform", justify="right", no_wrap=True)
    for place, point in enumerate(points):
        cells: list[Text | str] = [f"{values[place]:g}" for values in axes.values()]
        for name, _ in SWEEP_COLUMNS:
            estimate: Estimate = getattr(point.outcomes, name)
            interval = interval_text(estimate.low, estimate.high)
            lines = (probability_text(estimate), "bold"), "\n", (interval, "dim")
            cells.append(Text.assemble(*lines))
            if name == "gc_outage":
                cells.append(closed_form_text(point.closed_form, name))
        table.add_row(*cells)
    return table


def closed_form_text(laws: ClosedForm, outcome: str) -> str:
    """An exact probability, where one is known; of standard decoding it is said where none is."""
    law = getattr(laws, outcome, None)
    missing = "none known" if outcome == "gc_outage" else ""
    # One less a law close to one keeps few digits.
    vague = law is not None and outcome in CONTRARIES and law < _FEW_DIGITS
    return missing if law is None or vague else probability_text(float(law))
