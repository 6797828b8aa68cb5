"""The work of `jaxcogc collect`: count, store, tell."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import NamedTuple

from jaxcogc.cli.shared.console import INTERRUPTED_ELSEWHERE, new_console, told_interrupts
from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.store_errors import store_errors
from jaxcogc.cli.studies.collect_display import CollectDisplay
from jaxcogc.runtime.signals import Interruption
from jaxcogc.study.collection.collect import collect
from jaxcogc.study.collection.participants import Summary
from jaxcogc.study.specification.study_file import Study

_LOG_WIDTH = 200


class CollectRequest(NamedTuple):
    """A collection that can start."""

    path: str
    study: Study
    store: str
    budget_seconds: float | None
    quiet: bool
    distributed: bool


def run(request: CollectRequest, *, leads: bool) -> int:
    """Collect, and return the exit code: 0, or 130 (143) after an interruption."""
    console = new_console(_LOG_WIDTH)
    display = CollectDisplay(console, request.study, quiet=request.quiet or not leads)
    with told_interrupts(console, display.say, "blocks under way") as interruption:
        for line in request.study.skipped:
            display.say(f"no such code, left out: {line}")
        with display, store_errors():
            summary = _collect(request, display, interruption, leads)
        if summary is None:
            return interruption.exit_code
        _conclude(request, display, summary)
        finished = summary.done == summary.total or summary.out_of_time
        return interruption.exit_code or (0 if finished else INTERRUPTED_ELSEWHERE)


def _collect(
    request: CollectRequest, display: CollectDisplay, interruption: Interruption, leads: bool
) -> Summary | None:
    """One process on its own, or the first of several; None in the others."""

    def work(engine: object, stop_requested: Callable[[], bool]) -> Summary:
        return collect(
            request.study,
            request.store,
            budget_seconds=request.budget_seconds,
            engine=engine,  # type: ignore[arg-type]
            stop_requested=stop_requested,
            listener=display,
        )

    if not request.distributed:
        return work(None, lambda: interruption.requested)
    from jaxcogc.study.collection.several_processes import LeadingEngine, check_same_study, follow

    try:
        check_same_study(request.study)
    except ValueError as error:
        raise UserError(f"--distributed: {error}") from error
    if not leads:
        follow(request.study, lambda: interruption.requested)
        return None
    engine = LeadingEngine(request.study)
    try:
        return work(engine, lambda: engine.any_process(interruption.requested))
    finally:
        engine.end()


def _conclude(request: CollectRequest, display: CollectDisplay, summary: Summary) -> None:
    counting = max(summary.seconds - summary.compile_seconds, 1e-9)
    told = f"{summary.done} of {summary.total} points done"
    if summary.trials:
        speed = f"{summary.trials / counting:,.0f} trials/s"
        told += f"; {summary.trials:,} trials in {counting:.1f} s ({speed})"
    if summary.compile_seconds:
        told += f", compiled in {summary.compile_seconds:.1f} s"
    display.say(told)
    store = shlex.quote(request.store)
    if summary.done < summary.total:
        why = "the budget is spent" if summary.out_of_time else "interrupted"
        command = f"jaxcogc collect {shlex.quote(request.path)} --store {store}"
        display.say(f"{why}; to go on: {command}")
    else:
        display.say(f"results: jaxcogc show --store {store}")
