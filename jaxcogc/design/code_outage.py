"""What is known of a code's outages, however it was found."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.design.configurations import CodeConfig, code_in_shared_field, for_every_attempt
from jaxcogc.design.ring_order import RANDOM, Order
from jaxcogc.links.memory import LinkDynamics, mean_network
from jaxcogc.links.network import Network
from jaxcogc.names import CUSTOM, DECODERS
from jaxcogc.outage.counts import Outcomes
from jaxcogc.outage.intervals import Estimate
from jaxcogc.outage.laws.waiting_times import MessageSeconds
from jaxcogc.outage.outcomes import EXACT_OUTCOMES
from jaxcogc.outage.protocol import LinkUse
from jaxcogc.runtime.random_words import split

__all__ = [
    "CodeOutage",
    "DecoderOutage",
    "Setting",
    "by_decoder",
    "mean_revealed",
]


class Setting(NamedTuple):
    """What all codes are judged on.

    Attributes:
      network: in the clients' own order.
      code_key, trial_key: of codes, and of trials: all codes see the same random numbers.
      level: confidence level of the intervals.
      dynamics: how links remember, and who is blocked; None: independent links.
      seconds: what steps and messages take; None: nobody asked.
      own_code: of the caller, to be compared with the families; None: there is none.
    """

    network: Network
    code_key: Key
    trial_key: Key
    level: float
    dynamics: LinkDynamics | None = None
    seconds: MessageSeconds | None = None
    own_code: GradientCode | None = None

    @classmethod
    def from_key(
        cls,
        key: Key,
        network: Network,
        level: float,
        dynamics: LinkDynamics | None = None,
        seconds: MessageSeconds | None = None,
        own_code: GradientCode | None = None,
    ) -> Setting:
        """With keys drawn from one."""
        code_key, trial_key = split(key)
        return cls(network, code_key, trial_key, level, dynamics, seconds, own_code)

    @property
    def mean_network(self) -> Network:
        """The erasures of a single attempt, blocked ends included."""
        return mean_network(self.network, self.dynamics)

    @property
    def blocked_alike(self) -> bool:
        """Whether all clients are blocked equally often."""
        return self.dynamics is None or bool(np.ptp(self.dynamics.block_probability) == 0.0)

    @property
    def clients_alike(self) -> bool:
        """Whether no order of the clients differs from another."""
        return self.network.links_alike and self.blocked_alike

    @property
    def own_order(self) -> Order:
        """The clients' own order."""
        return tuple(range(self.network.num_clients))

    def code(self, config: CodeConfig) -> GradientCode:
        """The code of a configuration, over the field that all families share."""
        if config.family == CUSTOM:
            assert self.own_code is not None
            return for_every_attempt(self.own_code, config.attempts)
        return code_in_shared_field(self.code_key, self.network.num_clients, config)

    def placed(self, config: CodeConfig) -> Network:
        """The network as its code's ring sees it; in its own order where that is random."""
        return self.network if config.order == RANDOM else self.network.permuted(config.order)

    def link_use(self, config: CodeConfig) -> LinkUse:
        """How links are used, as keywords of whatever draws links or knows laws."""
        dynamics = self.dynamics
        if dynamics is not None and config.order != RANDOM:
            dynamics = dynamics.permuted(config.order)
        return LinkUse(
            num_attempts=config.attempts, dynamics=dynamics, keep_heard=config.keep_heard
        )

    def averages_fairly(self, config: CodeConfig) -> bool:
        """Whether the bound holds for partial averages: they favour nobody, in rounds of their own.

        They do so in random places, over links that are all alike.
        """
        apart = self.dynamics is None or self.dynamics.independent_rounds
        return config.order == RANDOM and self.clients_alike and apart


class DecoderOutage(NamedTuple):
    """How often the server cannot have the exact average with one decoder.

    Attributes:
      outage: the probability.
      flagged: too few effective trials: only the interval's bounds are to be relied on.
      partial_pmf: float64 [clients + 1], probability of a partial average of so many clients;
        None where such averages do not exist, or may favour somebody.
    """

    outage: Estimate
    flagged: bool = False
    partial_pmf: HostFloats | None = None


class CodeOutage(NamedTuple):
    """How often a code fails.

    Attributes:
      config: the code.
      decoders: by name, "gc", "gc_plus" and "row_space".
      num_revealed: mean number of clients whose update the server could read, |K|.
      trials: trials it rests on; None when all of it is exact.
    """

    config: CodeConfig
    decoders: dict[str, DecoderOutage]
    num_revealed: float
    trials: int | None


def by_decoder(
    outage: dict[str, Estimate],
    *,
    flagged: Collection[str] = (),
    partial_sizes: HostFloats | None = None,
) -> dict[str, DecoderOutage]:
    """The same, with what else is known of a decoder.

    Args:
      outage: by decoder.
      flagged: fields of `Outcomes` that rest on too few effective trials.
      partial_sizes: float64 [2, clients + 1], partial averages of so many clients of gc_plus and
        of row_space.
    """
    partial = {} if partial_sizes is None else dict(zip(DECODERS[1:], partial_sizes, strict=True))
    return {
        d: DecoderOutage(outage[d], EXACT_OUTCOMES[d] in flagged, partial.get(d)) for d in DECODERS
    }


def mean_revealed(outcomes: Outcomes) -> float:
    """Mean number of clients whose own update the server could read."""
    pmf = outcomes.num_recovered_pmf
    return float(np.arange(pmf.size) @ pmf)
