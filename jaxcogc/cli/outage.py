"""`jaxcogc outage`: how often is the global update recovered?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jaxcogc.cli.outage_request import CODES, INTERVALS, KERNELS, OutageOptions, read_request


def _option(name: str, metavar: str | None, help: str, default: str | None = None) -> Any:
    note = "" if default is None else f" [default: {default}]"
    return typer.Option(name, metavar=metavar, help=help + note, show_default=default is None)


_Text = str | None
Clients = Annotated[_Text, _option("--clients", "M", "Number of clients.", "10")]
UplinkErasure = Annotated[
    _Text,
    _option("--uplink-erasure", "P", "Probability that an uplink loses a message.", "0.4"),
]
PeerErasure = Annotated[
    _Text, _option("--peer-erasure", "P", "The same from client to client.", "0.25")
]
NetworkFile = Annotated[
    _Text,
    _option("--network", "FILE.json", "Erasure probabilities, link by link, instead of P."),
]
Reciprocal = Annotated[
    bool,
    _option("--reciprocal", None, "Two clients hear each other, or neither the other."),
]
Code = Annotated[str, _option("--code", "NAME", ", ".join(CODES) + ".")]
Stragglers = Annotated[
    _Text,
    _option("--stragglers", "S", "Stragglers tolerated; 3,5,7 gives the lines of a table.", "7"),
]
Attempts = Annotated[str, _option("--attempts", "A", "How often updates are shared and sent up.")]
RedrawCode = Annotated[
    bool, _option("--redraw-code", None, "Another cyclic code in every attempt.")
]
Trials = Annotated[str, _option("--trials", "N", "Trials to count, such as 1e6 or 1_000_000.")]
Seed = Annotated[str, _option("--seed", "S", "Seed of all random numbers.")]
Level = Annotated[str, _option("--level", "L", "Confidence level of the intervals.")]
Interval = Annotated[str, _option("--interval", "NAME", ", ".join(INTERVALS) + ".")]
Json = Annotated[_Text, _option("--json", "FILE|-", "The numbers (- : standard output).")]
Plot = Annotated[_Text, _option("--plot", "FILE.png", "A picture (png, svg or pdf).")]
Rare = Annotated[
    _Text, _option("--rare", "NAME", "importance or strata: weighted trials, for rare outcomes.")
]
Kernel = Annotated[str, _option("--kernel", "NAME", ", ".join(KERNELS) + " (on a GPU).")]
Tile = Annotated[_Text, _option("--tile", "N", "Trials computed at once.", "for the device")]
Distributed = Annotated[
    bool, _option("--distributed", None, "One of several processes (SLURM, Open MPI, Kubernetes).")
]
Coordinator = Annotated[
    _Text, _option("--coordinator", "HOST:PORT", "Of process 0, where nothing else tells.")
]
NumProcesses = Annotated[_Text, _option("--num-processes", "N", "Processes of the run.")]
ProcessId = Annotated[_Text, _option("--process-id", "I", "This one: 0 .. N-1; 0 prints.")]
Quiet = Annotated[bool, _option("--quiet", None, "No progress, no table.")]


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
    options = OutageOptions(**locals())
    request = read_request(options)
    if request.rare is not None:
        from jaxcogc.cli.outage_rare import run_rare

        return run_rare(request)
    from jaxcogc.cli.outage_run import run  # JAX and SciPy: only now, past --help and most mistakes

    return run(request)
