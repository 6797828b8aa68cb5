"""`jaxcogc design`: its options."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from jaxcogc.allowed import LEVEL, POSITIVE, SEED, choice, number, whole
from jaxcogc.cli.shared.files import File
from jaxcogc.cli.shared.link_options import LinkOptions
from jaxcogc.cli.shared.options import Headings, option, output, picture, switch
from jaxcogc.cli.shared.picture_options import PictureOptions
from jaxcogc.cli.shared.step_options import LossOptions, SecondsOptions
from jaxcogc.names import CHANNELS, OBJECTIVES, ORDERS


@dataclasses.dataclass(frozen=True, kw_only=True)
class DesignOptions(SecondsOptions, LossOptions, LinkOptions, PictureOptions):
    """What can be asked."""

    verb_name = "design"
    headings: ClassVar[Headings] = (
        ("target", "What is asked for"),
        ("max_attempts", "Candidates"),
        ("trials", "Trials and intervals"),
        ("json", "Results"),
    )
    together = (("target", "objective", "code_file", "order", "compute_seconds"),)
    reworded: ClassVar = {
        "channel": f"{CHANNELS[0]} (messages of a kind at once) or {CHANNELS[1]} (one after "
        "another)."
    }
    keep_heard: bool = switch("Try codes of clients that keep what they heard, too.", echoed=True)
    target: float = option(
        "P",
        "Largest probability of no exact average.",
        number(0, 1, "a probability strictly between 0 and 1", ends="()"),
        1e-3,
        shown="1e-3",
        echoed=True,
    )
    objective: str = option(
        "NAME",
        f"Least of: {', '.join(OBJECTIVES)} (privacy: clients the server could read).",
        choice(OBJECTIVES),
        OBJECTIVES[0],
        echoed=True,
    )
    code_file: str | None = option(
        "FILE",
        "A code of your own (.json, .csv, .npy) to try beside the others.",
        file=File(reads=True, again=True),
    )
    order: str = option(
        "NAME",
        f"Of the clients on the ring: {', '.join(ORDERS)}.",
        choice(ORDERS),
        "optimised",
        echoed=True,
    )
    # Every number of attempts is a program to compile.
    max_attempts: int = option("A", "Attempts that a code may make.", whole(1, 8), 2, echoed=True)
    max_tries: int = option(
        "N", "Tries of a client without a code.", whole(1, 1000), 8, echoed=True
    )
    broadcast: bool = switch("One use serves all neighbours of a client.", echoed=True)
    trials: int = option(
        "N", "Trials for each finalist.", whole(1, 10**9), 200_000, shown="2e5", echoed=True
    )
    accuracy: float = option("T", "Rounds for the bound to fall to T.", POSITIVE, 0.1, echoed=True)
    sensitivity: bool = switch("Which link to repair first.")
    seed: int = option("S", "Seed of all random numbers.", SEED, 0, echoed=True)
    level: float = option("L", "Confidence level of the intervals.", LEVEL, 0.95, echoed=True)
    json: str | None = output("FILE|-", "The numbers (- : standard output).")
    csv: str | None = output("FILE|-", "All candidates, a line for each.")
    plot: str | None = picture("A heat map of the sensitivity (png, svg or pdf).")
    write_network: str | None = output("FILE.json", "The clients in the chosen order.", ".json")
    quiet: bool = switch("No progress, no table.")
