"""`jaxcogc schemes`: its options."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from jaxcogc.allowed import LEVEL, SEED, whole
from jaxcogc.cli.shared.options import Headings, option, output, picture, switch
from jaxcogc.cli.shared.picture_options import AxesOptions
from jaxcogc.cli.shared.scheme_options import ALL, SCHEME, SchemeOptions
from jaxcogc.names import MASKS, PLACEMENTS, SCHEMES, hyphened


@dataclasses.dataclass(frozen=True, kw_only=True)
class SchemesOptions(SchemeOptions, AxesOptions):
    """What can be asked."""

    verb_name = "schemes"
    headings: ClassVar[Headings] = (
        ("scheme", "Schemes"),
        ("trials", "Trials and intervals"),
        ("json", "Results"),
    )
    together = (("scheme", "retransmissions"),)
    reworded: ClassVar = {
        "placement": f"Of the clients on the ring: {', '.join(PLACEMENTS)} (every round).",
        "relay_window": "Of colrel: relays pass on the W clients behind them.",
        "masks": f"Of secure schemes: {', '.join(MASKS)} (over the code's field, which shows "
        "nothing).",
    }
    scheme: tuple[str, ...] = option(
        "NAME",
        f"Again for each: {', '.join(map(hyphened, SCHEMES))}, {ALL}.",
        SCHEME,
        (ALL,),
        shown=ALL,
        repeated=True,
    )
    trials: int = option(
        "N",
        "Rounds to draw where nothing exact is known.",
        whole(1, 10**7),
        10**5,
        shown="1e5",
        echoed=True,
    )
    seed: int = option("S", "Seed of all random numbers.", SEED, 0, echoed=True)
    level: float = option("L", "Confidence level of the intervals.", LEVEL, 0.95, echoed=True)
    json: str | None = output("FILE|-", "The numbers (- : standard output).")
    csv: str | None = output("FILE|-", "The same, a line for each scheme.")
    plot: str | None = picture("Errors against uses (png, svg or pdf).")
    quiet: bool = switch("No progress, no table.")
