"""`jaxcogc bound`: its options."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from jaxcogc.allowed import LEVEL, POSITIVE, SEED, choice, either, whole
from jaxcogc.cli.shared.code_options import CodeOptions
from jaxcogc.cli.shared.options import Headings, option, output, switch
from jaxcogc.cli.shared.step_options import LossOptions
from jaxcogc.names import DECODERS, PLACEMENTS, RHO_FORMS, hyphened, underscored

BEST = "best"
UNBIASED = ("inverse_probability", "colrel")
"""Without bias on every network, and not divided by who arrives."""
_SCHEMES = tuple(map(hyphened, (*DECODERS, *UNBIASED)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class BoundOptions(LossOptions, CodeOptions):
    """What can be asked."""

    verb_name = "bound"
    headings: ClassVar[Headings] = (
        ("scheme", "Scheme and rounds"),
        ("trials", "Trials and intervals"),
        ("json", "Results"),
    )
    scheme: str = option(
        "NAME", ", ".join(_SCHEMES) + ".", choice(_SCHEMES, keep=underscored), DECODERS[0]
    )
    placement: str = option(
        "NAME",
        "Of the clients on the ring: fixed, or random every round.",
        choice(PLACEMENTS),
        PLACEMENTS[0],
    )
    rho: str = option(
        "NAME",
        f"Spread of partial averages: {', '.join(RHO_FORMS)}.",
        choice(RHO_FORMS),
        "safe",
    )
    learning_rate: float | str = option(
        "ETA", "Of local steps; best: the one with the lowest bound.", either(BEST, POSITIVE), BEST
    )
    rounds: int = option("R", "Rounds, those that fail included.", whole(1, 10**12), 1000)
    target: float | None = option(
        "T", "Rounds for the bound to fall to T; best: for the fewest rounds.", POSITIVE
    )
    # Every simulated round is kept until the end.
    trials: int = option(
        "N",
        "Rounds to simulate where no law is known.",
        whole(1, 10**7),
        10**5,
        shown="1e5",
    )
    seed: int = option("S", "Seed of all random numbers.", SEED, 0)
    level: float = option("L", "Confidence level of the intervals.", LEVEL, 0.95)
    json: str | None = output("FILE|-", "The numbers (- : standard output).")
    quiet: bool = switch("No progress, no table.")
