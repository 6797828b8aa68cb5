"""The work of `jaxcogc outage`: compile, count, report."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import accumulate
from typing import TYPE_CHECKING

from jaxcogc.cli.outage.request import OutageRequest, Setting
from jaxcogc.cli.shared.console import INTERRUPTED_ELSEWHERE, new_console, told_interrupts
from jaxcogc.cli.shared.progress import CountDisplay
from jaxcogc.outage.simulation.kernels.reach import code_reach
from jaxcogc.outage.simulation.monte_carlo import Simulation, compile_simulation
from jaxcogc.outage.stratified.stratified_runs import StratifiedSimulation, compile_stratified
from jaxcogc.runtime.processes import any_process, num_processes
from jaxcogc.runtime.random_words import seed_keys
from jaxcogc.runtime.signals import Interruption

if TYPE_CHECKING:
    from jaxcogc.cli.outage.report import Counts
    from jaxcogc.outage.laws.closed_form import ClosedForm

NOTHING_COUNTED = "interrupted before a trial was counted; nothing written"

_AnySimulation = Simulation | StratifiedSimulation


def run(request: OutageRequest) -> int:
    """Do the run and return the exit code: 0, or 130 (143) after an interruption.

    An interruption before the first batch has been counted leaves nothing to report: one line says
    so, and no file is written.
    """
    console = new_console()
    total = request.asked.trials * len(request.settings)
    display = CountDisplay(console, total, quiet=request.asked.quiet)
    # Of several processes the others would wait for one that is gone.
    last_words = NOTHING_COUNTED if num_processes() == 1 else ""
    with told_interrupts(console, display.say, "batch in flight") as interruption:
        with display, ThreadPoolExecutor(1) as beside:
            with interruption.ending_at_once(last_words):
                display.compiling()
                started = time.perf_counter()
                simulations = _programs(request)
                compile_seconds = time.perf_counter() - started
            one, *_ = simulations.values()
            display.counting(compile_seconds, one.device)
            first_law = beside.submit(_law_of, request.settings[0])
            counts, seconds = _count(request, simulations, first_law, interruption, display)
        if not counts:
            print(NOTHING_COUNTED, file=sys.stderr)
            return interruption.exit_code or INTERRUPTED_ELSEWHERE
        from jaxcogc.cli.outage.report import Counted, report

        counted = Counted(counts, first_law.result(), seconds, compile_seconds, one.device)
        complete = report(request, counted, interruption, console)
        whole = counted.trials == total
        return interruption.exit_code or (int(not complete) if whole else INTERRUPTED_ELSEWHERE)


def _law_of(setting: Setting) -> ClosedForm:
    """The closed form, and what the report needs is imported: both beside the counting."""
    from jaxcogc.cli.outage.report import law_of

    return law_of(setting)


def _programs(request: OutageRequest) -> dict[int, _AnySimulation]:
    """The program of each number of attempts: networks and codes of a size share it.

    It is compiled for the code that reaches furthest, as it may serve none that reaches further.
    """
    number = Counter(setting.asked.attempts for setting in request.settings)
    by_reach = sorted(request.settings, key=lambda setting: code_reach(setting.code.field_matrix))
    furthest = {setting.asked.attempts: setting for setting in by_reach}
    return {
        attempts: _compile_one(furthest[attempts], number[attempts] * request.asked.trials)
        for attempts in number
    }


def _compile_one(setting: Setting, num_trials: int) -> _AnySimulation:
    asked = setting.asked
    stratified = asked.estimator == "stratified"
    compiled: _AnySimulation = (compile_stratified if stratified else compile_simulation)(
        setting.network,
        setting.code,
        **setting.protocol,
        tile=asked.tile,
        kernel=asked.kernel,
        num_trials=num_trials,
    )
    return compiled


def _count(
    request: OutageRequest,
    simulations: dict[int, _AnySimulation],
    first_law: Future[ClosedForm],
    interruption: Interruption,
    display: CountDisplay,
) -> tuple[list[Counts], float]:
    """Counts of each setting in turn (those that were begun) and the seconds that counting took.

    The processes of a distributed run ask each other before each batch whether to go on: one that
    stopped by itself would leave the others waiting for its counts.
    """
    key = seed_keys(request.asked.seed)[1]
    started = time.perf_counter()
    counts: list[Counts] = []
    for setting in request.settings:
        if any_process(interruption.requested):
            break
        simulation, done = simulations[setting.asked.attempts], 0
        parts: Iterator[Counts] = simulation.counts(
            key, setting.network, setting.code, setting.asked.trials
        )
        for total in accumulate(parts):
            display.advance(total.trials - done)
            done = total.trials
            if first_law.done():
                first_law.result()  # if it failed, nothing more is counted in vain
            if any_process(interruption.requested):
                break
        counts.append(total)
    return counts, time.perf_counter() - started
