"""The work of `jaxcogc outage --rare`: weighted trials instead of counted ones."""

import sys
import time
from typing import Any

from rich.table import Table

from jaxcogc.cli.console import new_console, told_interrupts
from jaxcogc.cli.outage_request import OutageRequest
from jaxcogc.cli.outage_run import network_title
from jaxcogc.cli.outputs import write_json
from jaxcogc.cli.progress import Display
from jaxcogc.cli.tables import SECTIONS, interval_text, new_table, probability_text
from jaxcogc.outage.closed_form import closed_form_gc_outage
from jaxcogc.outage.counts import EVENTS, outcomes_to_dict
from jaxcogc.outage.rare_events import RareOutcomes, rare_outcomes
from jaxcogc.runtime.devices import describe_devices
from jaxcogc.study.seeds import seed_keys


class _InterruptedError(Exception):
    """Leaves the sampling at the end of a block."""


def run_rare(request: OutageRequest) -> int:
    """Do the run and return the exit code: 0, or 130 (143) after an interruption.

    Weights need the whole run: an interrupted one leaves nothing to report, and no file.
    """
    import jax

    console = new_console()
    display = Display(console, request.trials, quiet=request.quiet)
    code, network = request.codes[0], request.network
    law = closed_form_gc_outage(
        network, code, num_attempts=request.attempts, redraw_code=request.redraw_code
    )

    device = describe_devices(tuple(jax.devices()))
    prepared: list[float] = []  # seconds of compilation and pilot runs
    with told_interrupts(console, display.say, "batch in flight") as interruption:

        def advance(done: int) -> None:
            if not prepared:
                prepared.append(time.perf_counter() - started)
                display.counting(prepared[0], device)
            display.advance(done)
            if interruption.requested:
                raise _InterruptedError

        started = time.perf_counter()
        try:
            with display:
                display.compiling()
                rare = rare_outcomes(
                    seed_keys(request.seed)[1],
                    network,
                    code,
                    num_trials=request.trials,
                    method=request.rare or "importance",
                    num_attempts=request.attempts,
                    redraw_code=request.redraw_code,
                    level=request.level,
                    advance=advance,
                )
        except _InterruptedError:
            print("interrupted; nothing written: weights need the whole run", file=sys.stderr)
            return interruption.exit_code
        seconds = time.perf_counter() - started
        if not request.quiet:
            console.print(_table(request, rare, law))
        if request.json is not None:
            with interruption.shield:
                measured = _measured(request, rare, device, seconds, *prepared)
                write_json(request.json, _json_fields(request, rare, law, measured))
    return 0


def _measured(
    request: OutageRequest,
    rare: RareOutcomes,
    device: str,
    seconds: float,
    prepared: float | None = None,
) -> dict[str, Any]:
    """What the run cost; without a sampled trial all of it was preparation."""
    return {
        "device": device,
        "elapsed_seconds": time.perf_counter() - request.started,
        "compile_seconds": seconds if prepared is None else prepared,
        "trials_per_second": (rare.outcomes.trials or 0) / max(seconds, 1e-9),
        "interrupted": False,
    }


def _table(request: OutageRequest, rare: RareOutcomes, law: float | None) -> Table:
    caption = f"{100 * request.level:g} % normal intervals; {rare.method}; "
    caption += f"{rare.outcomes.trials or 0:,} weighted trials; seed {request.seed}"
    if rare.tail_bound:
        caption += f"; left out, and added to every upper end: {rare.tail_bound:.1e}"
    if rare.flagged:
        caption += "\n! effective sample size too small: do not rely on this number"
    table = new_table(network_title(request), caption)
    for name in ("outcome", "probability", f"{100 * request.level:g} % interval"):
        justify: Any = "left" if name == "outcome" else "right"
        table.add_column(name, justify=justify, no_wrap=True)
    table.add_column("effective\nsample size", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("closed form", justify="right", no_wrap=True)
    for name in EVENTS:
        if name in SECTIONS:
            table.add_section()
        estimate = getattr(rare.outcomes, name)
        size = rare.effective_sample_size[name]
        table.add_row(
            name,
            probability_text(estimate),
            interval_text(estimate),
            "exact" if size is None else f"{size:,.0f}",
            "!" if name in rare.flagged else "",
            ("none known" if law is None else probability_text(law)) if name == "gc_outage" else "",
        )
    return table


def _json_fields(
    request: OutageRequest, rare: RareOutcomes, law: float | None, measured: dict[str, Any]
) -> dict[str, Any]:
    numbers = outcomes_to_dict(rare.outcomes)
    sizes = [size for size in rare.effective_sample_size.values() if size is not None]
    fields: dict[str, Any] = {
        "clients": request.network.num_clients,
        "stragglers": int(request.codes[0].num_stragglers),
        "code": request.family,
        "attempts": request.attempts,
        "redraw_code": request.redraw_code,
        "trials": numbers.pop("trials"),
        "seed": request.seed,
        "level": request.level,
        "interval": "normal",
        "method": rare.method,
        "effective_sample_size": min(sizes) if sizes else None,
        "tail_bound": rare.tail_bound,
        "flagged": bool(rare.flagged),
        **measured,
    }
    for name, value in numbers.items():
        if isinstance(value, dict):
            value["effective_sample_size"] = rare.effective_sample_size[name]
            value["flagged"] = name in rare.flagged
        fields[name] = value
        if name == "gc_outage":
            fields["gc_outage_closed_form"] = law
    return fields
