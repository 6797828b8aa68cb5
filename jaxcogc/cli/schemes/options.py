"""`jaxcogc schemes`: its options."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from jaxcogc.allowed import LEVEL, NOT_NEGATIVE, SEED, choice, whole
from jaxcogc.cli.shared.code_options import CodeOptions
from jaxcogc.cli.shared.link_options import LinkOptions
from jaxcogc.cli.shared.options import Headings, option, output, picture, switch
from jaxcogc.cli.shared.picture_options import AxesOptions
from jaxcogc.names import MASKS, PLACEMENTS, RELAY_OBJECTIVES, SCHEMES, hyphened, underscored

ALL = "all"
ECHOED = (
    *("attempts", "redraw_code", "retransmissions", "min_recovered", "placement", "keep_heard"),
    *("relay_objective", "relay_window", "mask_ratio", "masks", "trials", "seed", "level"),
)
"""What the results repeat as it was asked for."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SchemesOptions(LinkOptions, CodeOptions, AxesOptions):
    """What can be asked."""

    verb_name = "schemes"
    headings: ClassVar[Headings] = (
        ("scheme", "Schemes"),
        ("trials", "Trials and intervals"),
        ("json", "Results"),
    )
    scheme: tuple[str, ...] = option(
        "NAME",
        f"Again for each: {', '.join(map(hyphened, SCHEMES))}, {ALL}.",
        choice((*map(hyphened, SCHEMES), ALL), keep=underscored),
        (ALL,),
        shown=ALL,
        repeated=True,
    )
    retransmissions: int = option(
        "N", "Tries of a client at most, under retransmission.", whole(1, 1000), 2
    )
    min_recovered: int = option("N", "Hold a partial average over fewer clients.", whole(1, 128), 1)
    placement: str = option(
        "NAME",
        f"Of the clients on the ring: {', '.join(PLACEMENTS)} (every round).",
        choice(PLACEMENTS),
        PLACEMENTS[0],
    )
    relay_objective: str = option(
        "NAME",
        f"Of colrel's weights, least variance: {', '.join(RELAY_OBJECTIVES)}.",
        choice(RELAY_OBJECTIVES),
        RELAY_OBJECTIVES[0],
    )
    relay_window: int | None = option(
        "W", "Of colrel: relays pass on the W clients behind them.", whole(0, 127), shown="all"
    )
    mask_ratio: float = option(
        "R", "Of secure schemes: a mask's deviation over that of the updates.", NOT_NEGATIVE, 10.0
    )
    masks: str = option(
        "NAME",
        f"Of secure schemes: {', '.join(MASKS)} (over the code's field, which shows nothing).",
        choice(MASKS),
        MASKS[0],
    )
    trials: int = option(
        "N", "Rounds to draw where nothing exact is known.", whole(1, 10**7), 10**5, shown="1e5"
    )
    seed: int = option("S", "Seed of all random numbers.", SEED, 0)
    level: float = option("L", "Confidence level of the intervals.", LEVEL, 0.95)
    json: str | None = output("FILE|-", "The numbers (- : standard output).")
    csv: str | None = output("FILE|-", "The same, a line for each scheme.")
    plot: str | None = picture("Errors against uses (png, svg or pdf).")
    quiet: bool = switch("No progress, no table.")
