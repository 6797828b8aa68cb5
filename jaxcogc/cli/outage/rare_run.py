"""The work of `jaxcogc outage --rare`: weighted trials instead of counted ones."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import JustifyMethod
from rich.table import Table

from jaxcogc import figures
from jaxcogc.cli.outage.report import closed_form_fields, measured_fields, network_title, write_rows
from jaxcogc.cli.outage.request import OutageRequest
from jaxcogc.cli.outage.run import NOTHING_COUNTED
from jaxcogc.cli.outage.tables import SECTIONS, closed_form_text
from jaxcogc.cli.shared.console import new_console, told_interrupts
from jaxcogc.cli.shared.outputs import Measured, write_picture
from jaxcogc.cli.shared.printed_tables import new_table, print_table
from jaxcogc.cli.shared.progress import CountDisplay
from jaxcogc.number_text import interval_text, level_text, probability_text
from jaxcogc.outage.counts import outcomes_to_dict
from jaxcogc.outage.laws.closed_form import ClosedForm, closed_form
from jaxcogc.outage.outage_point import OutagePoint
from jaxcogc.outage.outcomes import CONTRARIES
from jaxcogc.outage.rare.rare_events import RareOutcomes, rare_outcomes
from jaxcogc.runtime.devices import describe_devices
from jaxcogc.runtime.random_words import seed_keys
from jaxcogc.runtime.signals import Interruption

if TYPE_CHECKING:
    from jaxcogc.figures import Figure, Look

_FEW = "! effective sample size too small"


def run_rare(request: OutageRequest) -> int:
    """Do the run and return the exit code: 0, or 130 (143) after an interruption.

    An interrupted run reports the trials it made: one block of them after pilot runs, at least.
    """
    console, setting = new_console(), request.settings[0]
    display = CountDisplay(console, request.asked.trials, quiet=request.asked.quiet)

    drawn = True
    with told_interrupts(console, display.say, "batch in flight") as interruption:
        rare, measured = _sample(request, display, interruption)
        laws = closed_form(setting.network, setting.code, **setting.protocol)
        caption = _caption(request, rare, interrupted=measured.interrupted)
        if not request.asked.quiet:
            table = _table(request, rare, laws, caption)
            print_table(console, table, "closed form")
        with interruption.shield:
            write_rows(request, [_json_fields(request, rare, laws, measured)])
        if request.asked.plot is not None:
            draw = partial(_draw, request, rare, laws, caption)
            with interruption.shield:
                drawn = write_picture("--plot", request.asked.plot, draw, request.asked)
        return interruption.exit_code or int(not drawn)


def _sample(
    request: OutageRequest, display: CountDisplay, interruption: Interruption
) -> tuple[RareOutcomes, Measured]:
    """The weighted trials, and what they cost."""
    import jax

    device, setting = describe_devices(tuple(jax.devices())), request.settings[0]
    prepared: list[float] = []  # seconds of compilation and pilot runs
    done = 0

    def advance(trials: int) -> None:
        nonlocal done
        if not prepared:
            interruption.end_at_once("")
            prepared.append(time.perf_counter() - started)
            display.counting(prepared[0], device)
        done += trials
        display.advance(trials)

    started = time.perf_counter()
    with display:
        interruption.end_at_once(NOTHING_COUNTED)
        display.compiling()
        rare = rare_outcomes(
            seed_keys(request.asked.seed)[1],
            setting.network,
            setting.code,
            num_trials=request.asked.trials,
            method=request.asked.rare or "importance",
            **setting.protocol,
            level=request.asked.level,
            advance=advance,
            stop=lambda: interruption.requested,
        )
    seconds = time.perf_counter() - started
    measured = Measured(
        device=device,
        elapsed_seconds=time.perf_counter() - request.started,
        # Without a sampled trial all of it was preparation.
        compile_seconds=prepared[0] if prepared else seconds,
        per_second=done / max(seconds, 1e-9),
        interrupted=0 < done < request.asked.trials,
    )
    return rare, measured


def _caption(request: OutageRequest, rare: RareOutcomes, *, interrupted: bool) -> str:
    level = level_text(request.asked.level)
    caption = f"{level} normal intervals; {rare.method}; "
    caption += "interrupted after " if interrupted else ""
    caption += f"{rare.outcomes.trials or 0:,} weighted trials; seed {request.asked.seed}"
    if rare.tail_bound:
        caption += f"; left out, and added to every upper end: {rare.tail_bound:.1e}"
    return caption


def _draw(
    request: OutageRequest, rare: RareOutcomes, laws: ClosedForm, caption: str, look: Look
) -> Figure:
    point = OutagePoint(int(request.settings[0].code.num_stragglers), rare.outcomes, laws)
    if rare.flagged:
        caption += f"\n{_FEW}: do not rely on {', '.join(sorted(rare.flagged))}"
    return figures.plot_outcomes(point, title=network_title(request), caption=caption, look=look)


def _table(request: OutageRequest, rare: RareOutcomes, laws: ClosedForm, caption: str) -> Table:
    level = level_text(request.asked.level)
    if rare.flagged:
        caption += f"\n{_FEW}: do not rely on this number"
    table = new_table(network_title(request), caption)
    for name in ("outcome", "probability", f"{level} interval"):
        justify: JustifyMethod = "left" if name == "outcome" else "right"
        table.add_column(name, justify=justify, no_wrap=True)
    table.add_column("effective\nsample size", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("closed form", justify="right", no_wrap=True)
    for name, estimate in rare.outcomes.estimates().items():
        if name in SECTIONS:
            table.add_section()
        counted = CONTRARIES.get(name, name)
        size = rare.effective_sample_size[counted]
        table.add_row(
            name,
            probability_text(estimate),
            interval_text(estimate.low, estimate.high),
            "exact" if size is None else f"{size:,.0f}",
            "!" if counted in rare.flagged else "",
            closed_form_text(laws, name),
        )
    return table


def _json_fields(
    request: OutageRequest, rare: RareOutcomes, laws: ClosedForm, measured: Measured
) -> dict[str, Any]:
    numbers = outcomes_to_dict(rare.outcomes)
    sizes = [size for size in rare.effective_sample_size.values() if size is not None]
    fields: dict[str, Any] = {
        **request.settings[0].echo(numbers.pop("trials")),
        "interval": "normal",
        "method": rare.method,
        "effective_sample_size": min(sizes) if sizes else None,
        "tail_bound": rare.tail_bound,
        "flagged": bool(rare.flagged),
        **measured_fields(measured),
    }
    for name, value in numbers.items():
        if isinstance(value, dict):
            counted = CONTRARIES.get(name, name)
            value["effective_sample_size"] = rare.effective_sample_size[counted]
            value["flagged"] = counted in rare.flagged
        fields[name] = value
        if name == "gc_outage":
            fields |= closed_form_fields(laws)
    return fields
