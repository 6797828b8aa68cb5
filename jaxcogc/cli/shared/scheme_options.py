"""Schemes: their names, the options of their rules, and what does not go together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jaxcogc.allowed import MAX_CLIENTS, NOT_NEGATIVE, Allowed, choice, whole
from jaxcogc.cli.shared.code_options import CodeOptions
from jaxcogc.cli.shared.errors import UserError, blame, rejected
from jaxcogc.cli.shared.link_options import LinkOptions
from jaxcogc.cli.shared.options import named, option
from jaxcogc.names import (
    MASKS,
    PLACEMENTS,
    REFUSED_SCHEMES,
    RELAY_OBJECTIVES,
    SCHEMES,
    SECURE_SCHEMES,
    hyphened,
    underscored,
)

if TYPE_CHECKING:
    from jaxcogc.coding.codes import GradientCode
    from jaxcogc.federated.aggregation.link_evidence import LinkPolicy
    from jaxcogc.links.memory import LinkDynamics
    from jaxcogc.links.network import Network

ALL = "all"
_NEEDED = {
    "relay_objective": (("colrel",), "--scheme colrel"),
    "relay_window": (("colrel",), "--scheme colrel"),
    "mask_ratio": (SECURE_SCHEMES, "a secure scheme"),
    "masks": (SECURE_SCHEMES, "a secure scheme"),
}
"""By option, the schemes without which it says nothing, and what an error calls them."""


def _scheme() -> Allowed[str]:
    """A scheme as the command line spells it; a file may spell it as Python does."""
    typed = choice((*map(hyphened, SCHEMES), ALL), keep=underscored)

    def convert(value: Any) -> str | None:
        if isinstance(value, str) and underscored(value) in REFUSED_SCHEMES:
            return underscored(value)  # for `check_names`, which knows the reason
        return typed.convert(hyphened(value) if value in SCHEMES else value)

    return dataclasses.replace(typed, convert=convert)


SCHEME = _scheme()


@dataclasses.dataclass(frozen=True, kw_only=True)
class SchemeOptions(LinkOptions, CodeOptions):
    """What the rules of schemes are told, beside the network and the code."""

    retransmissions: int = option(
        "N", "Tries of a client at most, under retransmission.", whole(1, 1000), 2, echoed=True
    )
    min_recovered: int = option(
        "N", "Hold a partial average over fewer clients.", whole(1, MAX_CLIENTS), 1, echoed=True
    )
    placement: str = named(
        "Of the clients on the ring, random every round", PLACEMENTS, echoed=True
    )
    relay_objective: str = named(
        "Of colrel's weights, least variance", RELAY_OBJECTIVES, echoed=True
    )
    relay_window: int | None = option(
        "W",
        "Of colrel: relays pass on the W clients behind them on the ring.",
        whole(0, MAX_CLIENTS - 1),
        shown="all",
        echoed=True,
    )
    mask_ratio: float = option(
        "R",
        "Of secure schemes: a mask's deviation over that of the updates.",
        NOT_NEGATIVE,
        10.0,
        echoed=True,
    )
    masks: str = named(
        "Of secure schemes: of that size, or over the code's field", MASKS, echoed=True
    )

    def policy(self) -> LinkPolicy:
        """How a round uses the links."""
        from jaxcogc.federated.aggregation.link_evidence import LinkPolicy

        return LinkPolicy(
            num_attempts=self.attempts,
            num_tries=self.retransmissions,
            placement=self.placement,
            keep_heard=self.keep_heard,
            min_recovered=self.min_recovered,
        )


def check_names(schemes: Sequence[str]) -> None:
    """Raise UserError where a scheme is named twice, or is one of those refused with a reason."""
    for number, name in enumerate(schemes):
        if name in REFUSED_SCHEMES:
            reason = hyphened(REFUSED_SCHEMES[name])
            raise UserError(f"--scheme {hyphened(name)}: {reason}")
        if name in schemes[:number]:
            raise rejected("--scheme", hyphened(name), "each scheme once")


def check_schemes(options: SchemeOptions, schemes: Sequence[str], code: GradientCode) -> None:
    """Raise UserError where an option does not fit the schemes or the number of clients.

    Args:
      options: what was asked for.
      schemes: to compare.
      code: of the coded ones.
    """
    clients = code.num_clients
    if options.min_recovered > clients:
        raise rejected("--min-recovered", options.min_recovered, f"at most {clients} clients")
    if options.relay_window is not None and options.relay_window >= clients:
        allowed = f"at most {clients - 1} (clients - 1)"
        raise rejected("--relay-window", options.relay_window, allowed)
    for name, (needed, words) in _NEEDED.items():
        if options.differs(name) and not set(needed) & set(schemes):
            flag, value = options.flag(name), getattr(options, name)
            raise rejected(flag, value, f"nothing without {words}")
    if options.masks == "field":
        from jaxcogc.federated.privacy.masks import check_field_masks

        if options.differs("mask_ratio"):
            raise rejected("--mask-ratio", options.mask_ratio, "nothing with --masks field")
        with blame("--masks field"):
            check_field_masks(code)


def no_relays(
    options: SchemeOptions, network: Network, dynamics: LinkDynamics | None
) -> str | None:
    """Why no weights of relays fit; None where some do."""
    import numpy as np  # only now: `--help` reads this module too

    if options.keep_heard:
        why = "its weights are those of attempts that forget, not of --keep-heard"
        return f"{why}; allowed is one of the two"
    if dynamics is not None and np.any(dynamics.block_probability):
        return "no weights of relays fit blocked clients; allowed is one of the two"
    from jaxcogc.federated.aggregation.relaying import colrel_weights

    try:
        colrel_weights(network, objective="trace", window=options.relay_window)
    except ValueError as error:
        return str(error)
    return None
