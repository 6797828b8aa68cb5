"""`--distributed`: this process as one of several, on one host or many."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import Any, ClassVar

from jaxcogc.allowed import Allowed, whole
from jaxcogc.cli.shared.errors import UserError, blame, rejected
from jaxcogc.cli.shared.options import Headings, Options, option, switch


def _address(value: Any) -> str | None:
    host, _, port = str(value).rpartition(":")
    return value if host and port.isdecimal() and 1 <= int(port) < 2**16 else None


ADDRESS = Allowed("HOST:PORT with a port from 1 to 65535", _address)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProcessOptions(Options):
    """What tells the processes of a run apart; all None where SLURM and the like tell."""

    headings: ClassVar[Headings] = (("distributed", "Many processes"),)
    distributed: bool = switch("One of several processes (SLURM, Open MPI, Kubernetes).")
    coordinator: str | None = option(
        "HOST:PORT", "Of process 0, where nothing else tells.", ADDRESS
    )
    num_processes: int | None = option("N", "Processes of the run.", whole(1, 2**16))
    process_id: int | None = option("I", "This one: 0 .. N-1; 0 prints.", whole(0, 2**16 - 1))

    def starts_jax(self) -> bool:
        """See `Options`."""
        return not self.distributed  # the other processes are joined first

    def uses_jax(self) -> bool:
        """See `Options`."""
        return True


def check_processes(options: ProcessOptions) -> None:
    """Raise UserError where the four options do not go together."""
    names = ("coordinator", "num_processes", "process_id")
    given = {options.flag(name): getattr(options, name) for name in names}
    missing = [flag for flag, value in given.items() if value is None]
    for flag, value in given.items():
        if value is not None and not options.distributed:
            raise rejected(flag, value, "only beside --distributed")
    if 0 < len(missing) < len(given):
        lacking = ", ".join(missing)
        raise UserError(f"--distributed: {lacking} missing: all of {', '.join(given)}, or none")
    if options.process_id is not None and options.process_id >= (options.num_processes or 0):
        most = (options.num_processes or 0) - 1
        raise rejected("--process-id", options.process_id, f"a whole number from 0 to {most:,}")


def join(options: ProcessOptions) -> bool:
    """Join the others, before anything touches a device; whether this process prints and writes."""
    if not options.distributed:
        return True
    from jaxcogc.runtime.processes import is_first_process, join_processes

    _keep_standard_output()
    with blame("--distributed"):
        join_processes(
            options.coordinator,
            options.num_processes,
            options.process_id,
            say=lambda text: print(text, file=sys.stderr, flush=True),
        )
    return is_first_process()


def _keep_standard_output() -> None:
    """Standard output for results alone: Gloo, below JAX, prints its log lines there."""
    sys.stdout.flush()
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
