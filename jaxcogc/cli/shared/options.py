"""Options that several verbs share: their names, values and words of help."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jaxcogc.study.specification.seeds import CODES


def option(name: str, metavar: str | None, help: str, default: str | None = None) -> Any:
    """An option of a verb.

    Args:
        name: with its dashes.
        metavar: what stands for its value; None of a switch.
        help: a sentence.
        default: in words, where the value that Python sees does not tell it.
    """
    note = "" if default is None else f" [default: {default}]"
    return typer.Option(name, metavar=metavar, help=help + note, show_default=default is None)


def choice(name: str, choices: tuple[str, ...], help: str = "") -> Any:
    """An option whose value is one of a few words, which its help lists."""
    return option(name, "NAME", f"{help}{': ' if help else ''}{', '.join(choices)}.")


Text = str | None
"""None where an option was not given and its absence matters."""

Clients = Annotated[Text, option("--clients", "M", "Number of clients.", "10")]
UplinkErasure = Annotated[
    Text, option("--uplink-erasure", "P", "Probability that an uplink loses a message.", "0.4")
]
PeerErasure = Annotated[
    Text, option("--peer-erasure", "P", "The same from client to client.", "0.25")
]
NetworkFile = Annotated[
    Text, option("--network", "FILE.json", "Erasure probabilities, link by link, instead of P.")
]
Reciprocal = Annotated[
    bool, option("--reciprocal", None, "Two clients hear each other, or neither the other.")
]

Code = Annotated[str, choice("--code", CODES)]
Stragglers = Annotated[Text, option("--stragglers", "S", "Stragglers tolerated.", "7")]
Attempts = Annotated[str, option("--attempts", "A", "How often updates are shared and sent up.")]
RedrawCode = Annotated[bool, option("--redraw-code", None, "Another cyclic code in every attempt.")]

Smoothness = Annotated[str, option("--smoothness", "L", "Of every client's loss.")]
GradientVariance = Annotated[
    str, option("--gradient-variance", "V", "sigma^2, of a stochastic gradient.")
]
Heterogeneity = Annotated[
    str, option("--heterogeneity", "Z", "zeta^2, mean of ||grad F_m - grad F||^2.")
]
InitialGap = Annotated[str, option("--initial-gap", "G", "F(x_0) - F*.")]
ServerLearningRate = Annotated[
    str, option("--server-learning-rate", "GAMMA", "Times the aggregate.")
]
LocalSteps = Annotated[str, option("--local-steps", "I", "Local steps of a round.")]

Seed = Annotated[str, option("--seed", "S", "Seed of all random numbers.")]
Level = Annotated[str, option("--level", "L", "Confidence level of the intervals.")]
Json = Annotated[Text, option("--json", "FILE|-", "The numbers (- : standard output).")]
SameJson = Annotated[Text, option("--json", "FILE|-", "The same for a program.")]
Plot = Annotated[Text, option("--plot", "FILE.png", "A picture (png, svg or pdf).")]
Quiet = Annotated[bool, option("--quiet", None, "No progress, no table.")]

StorePath = Annotated[str, option("--store", "FILE", "The store that collect made.")]
Filter = Annotated[
    list[str] | None, option("--filter", "CONDITION", "Such as attempts=2; repeatable.")
]

Distributed = Annotated[
    bool, option("--distributed", None, "One of several processes (SLURM, Open MPI, Kubernetes).")
]
Coordinator = Annotated[
    Text, option("--coordinator", "HOST:PORT", "Of process 0, where nothing else tells.")
]
NumProcesses = Annotated[Text, option("--num-processes", "N", "Processes of the run.")]
ProcessId = Annotated[Text, option("--process-id", "I", "This one: 0 .. N-1; 0 prints.")]
