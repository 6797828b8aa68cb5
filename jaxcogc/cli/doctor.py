"""`jaxcogc doctor`: does the engine count right on this machine?"""

from __future__ import annotations

import dataclasses

from jaxcogc.cli.shared.options import Options, output


@dataclasses.dataclass(frozen=True, kw_only=True)
class DoctorOptions(Options):
    """What can be asked."""

    verb_name = "doctor"
    json: str | None = output("FILE|-", "The same for a program.")

    def starts_jax(self) -> bool:
        """See `Options`."""
        return True


def doctor(options: DoctorOptions) -> int:
    """Check this machine: device, versions, speed, known results, equal counts on other devices.

    Takes less than a minute. Exit code 1 if a check fails: do not trust counts of this machine.
    """
    from rich.text import Text

    from jaxcogc.cli.shared.console import new_console
    from jaxcogc.cli.shared.outputs import write_json
    from jaxcogc.outage.simulation.self_check import run_checks

    console = new_console(stderr=options.json is not None)
    found = []
    for check in run_checks():
        sign, colour = {True: ("ok  ", "green"), False: ("FAIL", "red"), None: ("    ", "")}[
            check.ok
        ]
        line = Text.assemble((sign, colour), f" {check.name:12} {check.detail}")
        console.print(line, soft_wrap=True)
        found.append(check)
    failed = [check.name for check in found if check.ok is False]
    if options.json is not None:
        checks = [check._asdict() for check in found]
        write_json(options.json, {"ok": not failed, "checks": checks}, options)
    if failed:
        console.print(f"failed: {', '.join(failed)}; counts of this machine cannot be trusted")
    return 1 if failed else 0
