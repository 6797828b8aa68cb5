"""The work of `jaxcogc collect`: count, store, tell."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from jaxcogc.cli.shared.console import INTERRUPTED_ELSEWHERE, new_console, told_interrupts
from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.studies.collect_display import CollectDisplay
from jaxcogc.cli.studies.options import CollectOptions
from jaxcogc.cli.studies.store_errors import store_errors
from jaxcogc.runtime.signals import Interruption
from jaxcogc.study.collection.block_counter import BlockCounter
from jaxcogc.study.collection.collect import collect
from jaxcogc.study.collection.progress import Summary
from jaxcogc.study.specification.study_file import Study

_LOG_WIDTH = 200


def run(options: CollectOptions, study: Study, *, leads: bool) -> int:
    """Collect, and return the exit code: 0, or 130 (143) after an interruption."""
    console = new_console(_LOG_WIDTH)
    display = CollectDisplay(console, study, quiet=options.quiet or not leads)
    with told_interrupts(console, display.say, "blocks under way") as interruption:
        if not options.distributed:  # others would wait for one that is gone
            display.interruption = interruption
        for line in study.skipped:
            display.say(f"no such code, left out: {line}")
        with display, store_errors():
            summary = _collect(options, study, display, interruption, leads)
        if summary is None:
            return interruption.exit_code
        _conclude(options, display, summary)
        finished = summary.done == summary.total or summary.out_of_time
        return interruption.exit_code or (0 if finished else INTERRUPTED_ELSEWHERE)


def _collect(
    options: CollectOptions,
    study: Study,
    display: CollectDisplay,
    interruption: Interruption,
    leads: bool,
) -> Summary | None:
    """One process on its own, or the first of several; None in the others."""

    def work(engine: BlockCounter | None, stop_requested: Callable[[], bool]) -> Summary:
        return collect(
            study,
            options.store,
            budget_seconds=options.budget,
            shard=options.shard or (1, 1),
            engine=engine,
            stop_requested=stop_requested,
            listener=display,
        )

    if not options.distributed:
        return work(None, lambda: interruption.requested)
    from jaxcogc.study.collection.distributed_engine import LeadingEngine, check_same_study, follow

    try:
        check_same_study(study)
    except ValueError as error:
        raise UserError(f"--distributed: {error}") from error
    if not leads:
        follow(study, lambda: interruption.requested)
        return None
    engine = LeadingEngine(study)
    try:
        return work(engine, lambda: engine.any_process(interruption.requested))
    finally:
        engine.end()


def _conclude(options: CollectOptions, display: CollectDisplay, summary: Summary) -> None:
    counting = max(summary.seconds - summary.compile_seconds, 1e-9)
    told = f"{summary.done} of {summary.total} points done"
    if summary.trials:
        speed = f"{summary.trials / counting:,.0f} trials/s"
        told += f"; {summary.trials:,} trials in {counting:.1f} s ({speed})"
    if summary.compile_seconds:
        told += f", compiled in {summary.compile_seconds:.1f} s"
    display.say(told)
    store = shlex.quote(options.store)
    if summary.done < summary.total:
        why = "the budget is spent" if summary.out_of_time else "interrupted"
        command = f"jaxcogc collect {shlex.quote(options.study)} --store {store}"
        if options.shard is not None:
            command += " --shard {}/{}".format(*options.shard)
        if options.client_order is not None:
            command += f" --client-order {shlex.quote(options.client_order)}"
        display.say(f"{why}; to go on: {command}")
    else:
        display.say(f"results: jaxcogc show --store {store}")
