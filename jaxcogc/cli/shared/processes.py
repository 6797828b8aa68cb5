"""`--distributed`: this process as one of several, on one host or many."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from jaxcogc.cli.shared.errors import UserError, blame, rejected
from jaxcogc.cli.shared.values import parse_count

_MAX_PROCESSES = 2**16


class Processes(NamedTuple):
    """What tells the processes of a run apart; all None where SLURM and the like tell."""

    coordinator: str | None
    num_processes: int | None
    process_id: int | None


def read_processes(
    distributed: bool, coordinator: str | None, num_processes: str | None, process_id: str | None
) -> Processes | None:
    """Check the four options; None for a process on its own.

    Errors: UserError that names the option, its value and what is allowed.
    """
    given = {
        "--coordinator": coordinator,
        "--num-processes": num_processes,
        "--process-id": process_id,
    }
    for name, value in given.items():
        if value is not None and not distributed:
            raise rejected(name, value, "this option together with --distributed")
    if not distributed:
        return None
    if coordinator is None and num_processes is None and process_id is None:
        return Processes(None, None, None)
    if coordinator is None or num_processes is None or process_id is None:
        missing = ", ".join(name for name, value in given.items() if value is None)
        raise UserError(f"--distributed: {missing} missing: all of {', '.join(given)}, or none")
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) < 2**16:
        raise rejected("--coordinator", coordinator, "HOST:PORT with a port from 1 to 65535")
    number = parse_count("--num-processes", num_processes, high=_MAX_PROCESSES)
    return Processes(
        coordinator, number, parse_count("--process-id", process_id, low=0, high=number - 1)
    )


def join(processes: Processes | None) -> bool:
    """Join the others, before anything touches a device; whether this process prints and writes."""
    if processes is None:
        return True
    from jaxcogc.runtime.processes import is_first_process, join_processes

    _keep_standard_output()
    with blame("--distributed"):
        join_processes(*processes)
    return is_first_process()


def _keep_standard_output() -> None:
    """Standard output for results alone: Gloo, below JAX, prints its log lines there."""
    sys.stdout.flush()
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
