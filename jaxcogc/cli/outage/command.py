"""`jaxcogc outage`: how often is the global update recovered?"""

from __future__ import annotations

from typing import Annotated

from jaxcogc.cli.outage.request import INTERVALS, KERNELS, OutageOptions, read_request
from jaxcogc.cli.shared.options import (
    Attempts,
    Clients,
    Code,
    Coordinator,
    Distributed,
    Json,
    Level,
    NetworkFile,
    NumProcesses,
    PeerErasure,
    Plot,
    ProcessId,
    Quiet,
    Reciprocal,
    RedrawCode,
    Seed,
    Text,
    UplinkErasure,
    choice,
    option,
)

Stragglers = Annotated[
    Text,
    option("--stragglers", "S", "Stragglers tolerated; 3,5,7 gives the lines of a table.", "7"),
]
Trials = Annotated[str, option("--trials", "N", "Trials to count, such as 1e6 or 1_000_000.")]
Interval = Annotated[str, choice("--interval", INTERVALS)]
Rare = Annotated[
    Text, option("--rare", "NAME", "importance or strata: weighted trials, for rare outcomes.")
]
Kernel = Annotated[str, option("--kernel", "NAME", ", ".join(KERNELS) + " (on a GPU).")]
Tile = Annotated[Text, option("--tile", "N", "Trials computed at once.", "for the device")]


def outage(
    clients: Clients = None,
    uplink_erasure: UplinkErasure = None,
    peer_erasure: PeerErasure = None,
    network: NetworkFile = None,
    reciprocal: Reciprocal = False,
    code: Code = "cyclic",
    stragglers: Stragglers = None,
    attempts: Attempts = "2",
    redraw_code: RedrawCode = False,
    trials: Trials = "1e6",
    seed: Seed = "0",
    level: Level = "0.95",
    interval: Interval = "clopper-pearson",
    json: Json = None,
    plot: Plot = None,
    rare: Rare = None,
    kernel: Kernel = "xla",
    tile: Tile = None,
    distributed: Distributed = False,
    coordinator: Coordinator = None,
    num_processes: NumProcesses = None,
    process_id: ProcessId = None,
    quiet: Quiet = False,
) -> int:
    """How often is the global update recovered?

    Simulates rounds of gradient coding over links that lose messages and reports how often standard
    decoding, GC+ and row-space decoding recover the average update, with confidence intervals and,
    where there is one, the closed form beside them.

    The table and the progress go to standard error. Ctrl-C finishes the batch in flight and reports
    what was counted (exit code 130); a second Ctrl-C ends at once.
    """
    request = read_request(OutageOptions(**locals()))
    if request.rare is not None:
        from jaxcogc.cli.outage.rare_run import run_rare

        return run_rare(request)
    from jaxcogc.cli.outage.run import run  # JAX and SciPy: only now, past --help and most mistakes

    return run(request)
