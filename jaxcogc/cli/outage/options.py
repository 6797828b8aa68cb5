"""`jaxcogc outage`: its options."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from jaxcogc.allowed import ATTEMPTS, LEVEL, PROBABILITY, SEED, TRIALS, choice, power_of_two
from jaxcogc.cli.shared.code_options import STRAGGLERS, CodeOptions
from jaxcogc.cli.shared.link_options import LinkOptions
from jaxcogc.cli.shared.options import Headings, option, output, picture, switch
from jaxcogc.cli.shared.picture_options import AxesOptions
from jaxcogc.cli.shared.process_options import ProcessOptions
from jaxcogc.names import ESTIMATORS, INTERVALS, KERNELS, RARE_METHODS


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutageOptions(ProcessOptions, LinkOptions, CodeOptions, AxesOptions):
    """What can be asked."""

    verb_name = "outage"
    headings: ClassVar[Headings] = (
        ("trials", "Trials and intervals"),
        ("json", "Results"),
        ("rare", "Rare outcomes, and how it is computed"),
        ("quiet", "Results"),
    )
    uplink_erasure: float | None = option(
        "P",
        "Probability that an uplink loses a message; .1,.2 gives the lines of a table.",
        PROBABILITY,
        shown="0.4",
        several=True,
    )
    peer_erasure: float | None = option(
        "P", "The same from client to client.", PROBABILITY, shown="0.25", several=True
    )
    attempts: int = option(
        "A",
        "How often updates are shared and sent up; 1,2 likewise.",
        ATTEMPTS,
        2,
        several=True,
        echoed=True,
    )
    stragglers: str | None = option(
        "S", "Stragglers tolerated; 3,5,7 gives the lines of a table.", STRAGGLERS, shown="7"
    )
    trials: int = option(
        "N", "Trials to count, such as 1e6 or 1_000_000.", TRIALS, 10**6, shown="1e6", echoed=True
    )
    seed: int = option("S", "Seed of all random numbers.", SEED, 0, echoed=True)
    level: float = option("L", "Confidence level of the intervals.", LEVEL, 0.95, echoed=True)
    interval: str = option(
        "NAME", ", ".join(INTERVALS) + ".", choice(INTERVALS), INTERVALS[0], echoed=True
    )
    estimator: str = option(
        "NAME",
        "counted, or stratified: more digits from the same trials.",
        choice(ESTIMATORS),
        ESTIMATORS[0],
    )
    json: str | None = output("FILE|-", "The numbers (- : standard output).")
    csv: str | None = output("FILE|-", "The same, a line for each line of the table.")
    plot: str | None = picture()
    rare: str | None = option(
        "NAME",
        "importance or strata: weighted trials, for rare outcomes.",
        choice(RARE_METHODS),
    )
    kernel: str = option(
        "NAME",
        ", ".join(KERNELS) + " (on a GPU: auto takes it for many trials).",
        choice(KERNELS),
        KERNELS[0],
    )
    tile: int | None = option(
        "N", "Trials computed at once.", power_of_two(2**14), shown="for the device"
    )
    quiet: bool = switch("No progress, no table.")
