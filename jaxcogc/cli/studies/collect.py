"""`jaxcogc collect`: count the trials that a study asks for."""

from __future__ import annotations

from typing import Annotated

import typer

from jaxcogc.cli.shared.errors import UserError, rejected
from jaxcogc.cli.shared.options import (
    Coordinator,
    Distributed,
    NumProcesses,
    ProcessId,
    Text,
    option,
)
from jaxcogc.cli.shared.outputs import check_target
from jaxcogc.cli.shared.processes import join, read_processes

StudyFile = Annotated[str, typer.Argument(metavar="STUDY.toml", help="The study file.")]
StorePath = Annotated[str, option("--store", "FILE", "The store; made when there is none.")]
Budget = Annotated[Text, option("--budget", "TIME", "Stop after so long, such as 90s, 10m, 1h30m.")]
Quiet = Annotated[bool, option("--quiet", None, "No progress.")]


def collect(
    study: StudyFile,
    store: StorePath,
    budget: Budget = None,
    distributed: Distributed = False,
    coordinator: Coordinator = None,
    num_processes: NumProcesses = None,
    process_id: ProcessId = None,
    quiet: Quiet = False,
) -> int:
    """Count the trials that a study asks for, and that its store does not hold yet.

    Running the same command again resumes; several processes may work on one store. Ctrl-C (or
    SIGTERM) finishes the blocks under way and stores them (exit code 130 or 143); a second one ends
    at once, and loses no stored block either.
    """
    processes = read_processes(distributed, coordinator, num_processes, process_id)
    seconds = _read_budget(budget)
    check_target("--store", store)
    first = join(processes)  # reading the study builds codes, and so touches a device
    from jaxcogc.study.specification.study_file import read_study

    try:
        read = read_study(study)
    except ValueError as error:
        raise UserError(str(error)) from error
    from jaxcogc.cli.studies.collect_run import CollectRequest, run

    request = CollectRequest(study, read, store, seconds, quiet, processes is not None)
    return run(request, leads=first)


def _read_budget(text: str | None) -> float | None:
    if text is None:
        return None
    from jaxcogc.study.specification.stop_rules import parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise rejected("--budget", text, "a duration such as 90s, 10m, 1h30m")
    return seconds
