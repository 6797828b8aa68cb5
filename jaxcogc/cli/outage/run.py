"""The work of `jaxcogc outage`: compile, count, report."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.console import Console
from rich.table import Table

from jaxcogc import figures
from jaxcogc.cli.outage.request import OutageRequest
from jaxcogc.cli.shared.code_options import code_words
from jaxcogc.cli.shared.console import INTERRUPTED_ELSEWHERE, new_console, told_interrupts
from jaxcogc.cli.shared.link_options import time_text
from jaxcogc.cli.shared.outputs import write_csv, write_json, write_picture
from jaxcogc.cli.shared.printed_tables import print_table
from jaxcogc.cli.shared.progress import CountDisplay
from jaxcogc.cli.shared.tables import EXPENDABLE, outcome_table, sweep_table
from jaxcogc.coding.codes import GradientCode
from jaxcogc.names import OUTCOMES
from jaxcogc.number_text import count_text, level_text
from jaxcogc.outage.counts import (
    OutcomeCounts,
    Outcomes,
    outcomes_from_counts,
    outcomes_to_dict,
)
from jaxcogc.outage.laws.closed_form import (
    ClosedForm,
    SuccessiveRounds,
    closed_form,
    successive_rounds,
)
from jaxcogc.outage.outage_point import OutagePoint
from jaxcogc.outage.simulation.monte_carlo import Simulation, compile_simulation
from jaxcogc.outage.stratified.stratified_counts import StratifiedCounts, stratified_outcomes
from jaxcogc.outage.stratified.stratified_runs import StratifiedSimulation, compile_stratified
from jaxcogc.runtime.processes import any_process, num_processes
from jaxcogc.runtime.random_words import seed_keys
from jaxcogc.runtime.signals import Interruption

if TYPE_CHECKING:
    from jaxcogc.figures import Figure

NOTHING_COUNTED = "interrupted before a trial was counted; nothing written"
_UNQUALIFIED = (
    "mean_rank",
    "num_recovered_pmf",
    "client_recovered",
    "gc_plus_weight",
    "row_space_weight",
    "plain_trials_worth",
)
"""Numbers without an interval; the last where trials were sorted into strata."""

_AnySimulation: TypeAlias = Simulation | StratifiedSimulation
_Counts: TypeAlias = OutcomeCounts | StratifiedCounts


def run(request: OutageRequest) -> int:
    """Do the run and return the exit code: 0, or 130 (143) after an interruption.

    An interruption before the first batch has been counted leaves nothing to report: one line says
    so, and no file is written.
    """
    console = new_console()
    total = request.asked.trials * len(request.codes)
    display = CountDisplay(console, total, quiet=request.asked.quiet)
    # Of several processes the others would wait for one that is gone.
    last_words = NOTHING_COUNTED if num_processes() == 1 else ""
    with told_interrupts(console, display.say, "batch in flight") as interruption:
        with display:
            with interruption.ending_at_once(last_words):
                display.compiling()
                simulation = _compile(request, total)
            display.counting(simulation.compile_seconds, simulation.device)
            counts, seconds = _count(request, simulation, interruption, display)
        if not counts:
            print(NOTHING_COUNTED, file=sys.stderr)
            return interruption.exit_code or INTERRUPTED_ELSEWHERE
        complete = _report(request, simulation, counts, seconds, interruption, console)
        whole = sum(each.trials for each in counts) == total
        return interruption.exit_code or (int(not complete) if whole else INTERRUPTED_ELSEWHERE)


def _compile(request: OutageRequest, total: int) -> _AnySimulation:
    stratified = request.asked.estimator == "stratified"
    compiled: _AnySimulation = (compile_stratified if stratified else compile_simulation)(
        request.network,
        request.codes[0],
        num_attempts=request.asked.attempts,
        redraw_code=request.asked.redraw_code,
        **request.in_time,
        tile=request.asked.tile,
        kernel=request.asked.kernel,
        num_trials=total,
    )
    return compiled


def _count(
    request: OutageRequest,
    simulation: _AnySimulation,
    interruption: Interruption,
    display: CountDisplay,
) -> tuple[list[_Counts], float]:
    """Counts of each code in turn (those that were begun) and the seconds that counting took.

    The processes of a distributed run ask each other before each batch whether to go on: one that
    stopped by itself would leave the others waiting for its counts.
    """
    key = seed_keys(request.asked.seed)[1]
    started = time.perf_counter()
    counts: list[_Counts] = []
    for code in request.codes:
        if any_process(interruption.requested):
            break
        total: Any = None
        for part in simulation.counts(key, request.network, code, request.asked.trials):
            total = part if total is None else total + part
            display.advance(part.trials)
            if any_process(interruption.requested):
                break
        counts.append(total)
    return counts, time.perf_counter() - started


def _report(
    request: OutageRequest,
    simulation: _AnySimulation,
    counts: list[_Counts],
    seconds: float,
    interruption: Interruption,
    console: Console,
) -> bool:
    """Write and print what was found; whether all of it could be written."""
    points = [
        _point(request, code, total) for code, total in zip(request.codes, counts, strict=False)
    ]
    num_trials = sum(total.trials for total in counts)
    interrupted = num_trials < request.asked.trials * len(request.codes)
    speed = num_trials / max(seconds, 1e-9)
    title, caption = network_title(request), _caption(request, counts, interrupted)
    # Numbers first: a terminal that is gone, or a picture that fails, takes nothing with it.
    if request.asked.json is not None or request.asked.csv is not None:
        measured = {
            "device": simulation.device,
            "elapsed_seconds": time.perf_counter() - request.started,
            "compile_seconds": simulation.compile_seconds,
            "trials_per_second": speed,
            "interrupted": interrupted,
        }
        rows = [
            _json_fields(request, code, point, measured)
            for code, point in zip(request.codes, points, strict=False)
        ]
        with interruption.shield:
            write_rows(request, rows)
    if not request.asked.quiet:
        cost = f"{speed:,.0f} trials/s on {simulation.device}"
        table = _table(points, title, f"{caption}; {cost}", console.width)
        print_table(console, table, *EXPENDABLE)
    if request.asked.plot is None:
        return True
    with interruption.shield:
        return write_picture("--plot", request.asked.plot, partial(_draw, request, points, caption))


def write_rows(request: OutageRequest, rows: Sequence[Mapping[str, Any]]) -> None:
    """The numbers of every code, as JSON and as CSV, where they are asked for."""
    if request.asked.json is not None:
        several = len(request.codes) > 1
        write_json(request.asked.json, {"rows": rows} if several else rows[0], request.asked)
    if request.asked.csv is not None:
        write_csv(request.asked.csv, rows)


def _outcomes(request: OutageRequest, counts: _Counts) -> Outcomes:
    level = request.asked.level
    if isinstance(counts, StratifiedCounts):
        return stratified_outcomes(counts, level=level)
    return outcomes_from_counts(counts, level=level, interval=request.asked.interval)


def _point(request: OutageRequest, code: GradientCode, counts: _Counts) -> OutagePoint:
    return OutagePoint(
        x=int(code.num_stragglers),
        outcomes=_outcomes(request, counts),
        closed_form=closed_form(
            request.network,
            code,
            num_attempts=request.asked.attempts,
            redraw_code=request.asked.redraw_code,
            **request.in_time,
        ),
        rounds=_successive_rounds(request, code),
    )


def network_title(request: OutageRequest) -> str:
    """The network, the code and the attempts of a run, in words."""
    parts = [f"{request.network.num_clients} clients", request.source]
    if request.network.reciprocal:
        parts.append("reciprocal links")
    parts += time_text(request.dynamics, keep_heard=request.asked.keep_heard)
    parts.append(code_words(request.asked))
    silent = request.asked.code == "uncoded" or (
        request.asked.code_file is not None and request.asked.stragglers is None
    )
    if len(request.codes) == 1 and not silent:
        parts[-1] += f", {int(request.codes[0].num_stragglers)} stragglers"
    parts.append(_attempts(request))
    return " · ".join(parts)


def _attempts(request: OutageRequest) -> str:
    return count_text(request.asked.attempts, "attempt") + (
        ", code redrawn" if request.asked.redraw_code else ""
    )


def _caption(request: OutageRequest, counts: list[_Counts], interrupted: bool) -> str:
    trials = f"{counts[0].trials:,} trials" + (" each" if len(request.codes) > 1 else "")
    if interrupted:
        trials = f"interrupted after {sum(total.trials for total in counts):,} trials"
    level, name = level_text(request.asked.level), request.interval.title()
    return f"{level} {name} intervals; {trials}; seed {request.asked.seed}"


def _table(points: list[OutagePoint], title: str, caption: str, width: int) -> Table:
    if len(points) == 1:
        return outcome_table(points[0], title=title, caption=caption, width=width)
    return sweep_table(points, title=title, caption=caption)


def _draw(request: OutageRequest, points: list[OutagePoint], caption: str) -> Figure:
    title = network_title(request)
    if len(points) == 1:
        return figures.plot_outcomes(points[0], title=title, caption=caption)
    curve = figures.OutageCurve(_attempts(request), sorted(points, key=lambda p: p.x))
    return figures.plot_outage_curves([curve], x_label="stragglers s", title=title, caption=caption)


def _json_fields(
    request: OutageRequest, code: GradientCode, point: OutagePoint, measured: dict[str, Any]
) -> dict[str, Any]:
    numbers = outcomes_to_dict(point.outcomes)
    estimates = {name: numbers[name] for name in OUTCOMES}
    return {
        **request.echo(code, numbers["trials"]),
        "interval": request.interval,
        "estimator": request.asked.estimator,
        **measured,
        **estimates,
        **outage_fields(point.outcomes),
        **closed_form_fields(point.closed_form),
        **_rounds_fields(point.rounds),
        **{name: numbers[name] for name in _UNQUALIFIED if name in numbers},
    }


def outage_fields(outcomes: Outcomes) -> dict[str, Any]:
    """No exact average: of the decoders of which the estimates do not tell."""
    outages = outcomes.outages()
    return {
        f"{name}_outage": {"low": found.low, "best": found.best, "high": found.high}
        for name, found in outages.items()
        if name != "gc"
    }


def _successive_rounds(request: OutageRequest, code: GradientCode) -> SuccessiveRounds | None:
    dynamics, asked = request.dynamics, request.asked
    if dynamics is None or asked.keep_heard or asked.redraw_code:
        return None
    return successive_rounds(request.network, code, num_attempts=asked.attempts, dynamics=dynamics)


def _rounds_fields(rounds: SuccessiveRounds | None) -> dict[str, float | None]:
    """How failures of successive rounds hang together; null where links do not remember."""
    names = ("gc_outage_two_rounds", "mean_hold_run", "failure_correlation")
    known = rounds or SuccessiveRounds(None, None, None)
    finite = (None if x is None or not math.isfinite(x) else x for x in known)
    return dict(zip(names, finite, strict=True))


def closed_form_fields(laws: ClosedForm) -> dict[str, Any]:
    """The keys of a result file for the exact laws; null where none is known."""
    *scalars, clients = laws
    names = (f"{name}_closed_form" for name in ClosedForm._fields)
    numbers = [None if law is None else float(law) for law in scalars]
    return dict(zip(names, [*numbers, None if clients is None else clients.tolist()], strict=True))
