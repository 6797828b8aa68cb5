"""How links hang together in time: the options of verbs that draw links."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from jaxcogc.allowed import BURST, CORRELATION, PROBABILITY
from jaxcogc.cli.shared.errors import UserError, blame
from jaxcogc.cli.shared.network_options import (
    NetworkOptions,
    client_order,
    time_in_file,
)
from jaxcogc.cli.shared.options import Headings, option, switch
from jaxcogc.names import DYNAMICS, stated_twice

if TYPE_CHECKING:
    from jaxcogc.links.memory import LinkDynamics
    from jaxcogc.links.network import Network


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinkOptions(NetworkOptions):
    """The options of a network whose links may remember; None where one was not given."""

    draws_in_time = True
    headings: ClassVar[Headings] = (("memory", "Links that remember, blocked clients"),)
    memory: float | None = option(
        "LAMBDA", "Correlation of a link's state from attempt to attempt.", CORRELATION, shown="0"
    )
    burst_length: float | None = option(
        "L", "Mean attempts that a bad state lasts, instead of --memory.", BURST
    )
    round_memory: float | None = option(
        "LAMBDA", "The same from round to round.", CORRELATION, shown="as between attempts"
    )
    good_erasure: float | None = option(
        "P", "Erasure probability in the good state.", PROBABILITY, shown="0"
    )
    bad_erasure: float | None = option(
        "P", "Erasure probability in the bad state.", PROBABILITY, shown="1"
    )
    block_probability: float | None = option(
        "P", "Probability that a client is cut off for a round.", PROBABILITY, shown="0"
    )
    block_memory: float | None = option(
        "LAMBDA", "Correlation of being cut off from round to round.", CORRELATION, shown="0"
    )
    keep_heard: bool = switch("Clients keep what they heard in earlier attempts.", echoed=True)


def read_dynamics(options: LinkOptions, network: Network) -> LinkDynamics | None:
    """How the links hang together in time, by the options and the network file; None: they do not.

    Raises:
      UserError: it names the option, its value and what is allowed.
    """
    asked = {name: getattr(options, name) for name in DYNAMICS}
    asked = {name: value for name, value in asked.items() if value is not None}
    in_file = time_in_file(options.network)
    twice = stated_twice(asked, in_file)
    if twice is not None:
        name, key = twice
        raise UserError(
            f"{options.flag(name)} beside {key} in --network {options.network}: allowed is one "
            "of the two"
        )
    _check_one_kind_of_memory(options)
    found = in_file | asked
    if not found:
        return None
    from jaxcogc.links.memory import fitting_dynamics

    flags = " ".join(f"{options.flag(name)} {value:g}" for name, value in asked.items())
    with blame(flags or f"--network {options.network}"):
        dynamics = fitting_dynamics(network, found)
    return dynamics.permuted(client_order(options, network.num_clients))


def _check_one_kind_of_memory(options: LinkOptions) -> None:
    if options.memory is not None and options.burst_length is not None:
        raise UserError(
            f"--burst-length {options.burst_length:g} beside --memory {options.memory:g}: allowed "
            "is one of the two"
        )


def time_text(dynamics: LinkDynamics | None, *, keep_heard: bool) -> list[str]:
    """How links hang together in time, in a few words for titles; empty where they do not."""
    told = []
    if dynamics is not None:
        if dynamics.burst_length is not None:
            told.append(f"bursts of {dynamics.burst_length:g} attempts")
        elif dynamics.memory:
            told.append(f"memory {dynamics.memory:g}")
        if not dynamics.hard:
            told.append(f"erasure {dynamics.good_erasure:g} or {dynamics.bad_erasure:g}")
        blocked = dynamics.block_probability
        if isinstance(blocked, float) and blocked:
            told.append(f"clients blocked with {blocked:g}")
        elif not isinstance(blocked, float):
            told.append("clients blocked")
    return told + ["heard messages kept"] * keep_heard
