"""Laws of rounds whose links remember, whose clients are blocked or keep what they heard.

A round begins in stationarity. Rows of different clients use different links, so whether a complete
one arrives is independent of client to client, and the laws by the number of rows hold with other
probabilities of a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array
from jaxcogc.links.memory import LinkDynamics, blocked_clients, link_chains
from jaxcogc.links.network import Network
from jaxcogc.names import RingKind
from jaxcogc.outage.laws.blocked import blocked_ring_outage
from jaxcogc.outage.laws.differentiable import CompiledLaw
from jaxcogc.outage.laws.one_straggler import RowStates, one_straggler_law, stacked
from jaxcogc.outage.laws.rows_in_time import (
    RowLinks,
    can_be_found,
    missing_where_heard_is_kept,
    prob_never,
    steps_of,
    together,
)
from jaxcogc.outage.laws.standard_decoding import outage_of_rows
from jaxcogc.outage.laws.wide_range_floats import log_of, to_float64, to_wide

_MOST_COUNTS = 2**20
"""Joint numbers of rows in several attempts."""


class Round(NamedTuple):
    """What is fixed about a round; hashable.

    Attributes:
      clients, kind, num_stragglers: of the code.
      num_attempts: attempts.
      hard: a link is erased exactly while its state is bad.
      may_be_blocked: some client may be.
      keep_heard: clients keep what they heard in earlier attempts.
    """

    clients: int
    kind: RingKind
    num_stragglers: int
    num_attempts: int
    hard: bool
    may_be_blocked: bool = False
    keep_heard: bool = False

    @property
    def known(self) -> bool:
        """Whether standard decoding has an exact law that does not take long, with one code."""
        return self.keep_heard or self.rows_known(self.num_attempts)

    def rows_known(self, attempts: int) -> bool:
        """Whether what comes of a row in so many attempts can be found."""
        return can_be_found(self.clients, self.num_stragglers + 1, attempts, hard=self.hard)


def round_of(
    network: Network,
    kind: RingKind,
    num_stragglers: int,
    *,
    num_attempts: int,
    dynamics: LinkDynamics,
    keep_heard: bool,
) -> Round:
    """What is fixed about a round; a ValueError names links and clients that do not fit."""
    link_chains(network, dynamics)
    blocked = blocked_clients(network, dynamics)
    return Round(
        network.num_clients,
        kind,
        num_stragglers,
        num_attempts,
        dynamics.hard,
        isinstance(blocked, jax.core.Tracer) or bool(np.any(blocked)),
        keep_heard,
    )


@dataclass(frozen=True)
class GcOutage(CompiledLaw):
    """Outage of standard decoding with one code, or its logarithm, of (network, dynamics)."""

    round: Round
    logarithm: bool = False

    def __call__(self, network: Network, dynamics: LinkDynamics) -> Array:
        """In a 64-bit scope: a scalar."""
        links = row_links(network, dynamics, self.round)
        missing = missing_rows(links, self.round)
        if not self.round.may_be_blocked:
            rows = to_wide(missing), to_wide(1.0 - missing)
            outage = outage_of_rows(*rows, self.round.num_stragglers, self.round.kind)
            return log_of(*outage) if self.logarithm else to_float64(outage[0])
        outage_of_blocked = self._blocked(missing, network, dynamics)
        return jnp.log(outage_of_blocked) if self.logarithm else outage_of_blocked

    def _blocked(self, missing: Array, network: Network, dynamics: LinkDynamics) -> Array:
        blocked = jnp.asarray(blocked_clients(network, dynamics))
        stragglers = self.round.num_stragglers
        if self.round.kind == "cyclic":
            return blocked_ring_outage(missing, blocked, stragglers)
        if self.round.kind == "classes":  # every class needs every client
            return 1.0 - jnp.prod(1.0 - blocked) * (1.0 - outage_of(missing, self.round))
        size = stragglers + 1
        free = jnp.prod((1.0 - blocked).reshape(-1, size), axis=1)
        return 1.0 - jnp.prod(free * (1.0 - jnp.prod(missing.reshape(-1, size), axis=1)))


@dataclass(frozen=True)
class RedrawnGcOutage(CompiledLaw):
    """The same of a code drawn anew in every attempt: attempts hang together, rows do not."""

    round: Round

    @property
    def known(self) -> bool:
        """Exact where attempts that fail are too few to suffice together; and not too many."""
        shape, attempts = self.round, self.round.num_attempts
        few = shape.clients - shape.num_stragglers
        apart = attempts * (few - 1) < shape.clients
        small = attempts <= 12 and (2 * few) ** attempts <= _MOST_COUNTS
        return apart and small and not (shape.keep_heard or shape.may_be_blocked)

    def __call__(self, network: Network, dynamics: LinkDynamics) -> Array:
        """From the joint law of the numbers of complete rows in the attempts."""
        shape, attempts = self.round, self.round.num_attempts
        links = row_links(network, dynamics, shape)
        patterns = pattern_law(together(links, links.delivers, steps_of(attempts)))

        def one_client(law: Array, chances: Array) -> tuple[Array, None]:
            after = jnp.zeros_like(law)
            for number in range(2**attempts):
                moved = law
                for axis in range(attempts):
                    if number >> (attempts - 1 - axis) & 1:
                        place = lax.broadcasted_iota(np.int32, law.shape, axis)
                        moved = jnp.where(place == 0, 0.0, jnp.roll(moved, 1, axis=axis))
                after += chances[number] * moved
            return after, None

        few = shape.clients - shape.num_stragglers  # so many rows decode
        start = jnp.zeros((few,) * attempts).at[(0,) * attempts].set(1.0)
        law, _ = lax.scan(one_client, start, patterns.T)
        return law.sum()


@dataclass(frozen=True)
class OneStraggler(CompiledLaw):
    """`one_straggler_law` of a cyclic code with s = 1: [3 + clients], one law after another."""

    round: Round

    def __call__(self, network: Network, dynamics: LinkDynamics) -> Array:
        """From what never happens in all attempts."""
        links, steps = row_links(network, dynamics, self.round), steps_of(self.round.num_attempts)
        delivers = links.delivers
        heard = delivers.at[:, 1].set(1.0)
        incomplete = delivers.at[:, 1].set(1.0 - delivers[:, 1])
        nothing, never_complete, never_incomplete = (
            prob_never(links, happens, steps, hard=False)
            for happens in (heard, delivers, incomplete)
        )
        loop, edge = never_complete - nothing, never_incomplete - nothing
        states = RowStates(nothing, loop, edge, 1.0 - nothing - loop - edge)
        return stacked(one_straggler_law(states))


@dataclass(frozen=True)
class BothFail(CompiledLaw):
    """Outages in two rounds: [in one, in both], a function of (network, dynamics)."""

    round: Round
    gap: int

    @property
    def known(self) -> bool:
        """Whether there is a law that does not take long."""
        shape = self.round
        alone = not (shape.keep_heard or shape.may_be_blocked) and shape.kind != "classes"
        return alone and shape.rows_known(2 * shape.num_attempts)

    def __call__(self, network: Network, dynamics: LinkDynamics) -> Array:
        """From each client's joint law of a complete row in either round."""
        shape, links = self.round, row_links(network, dynamics, self.round)
        missing = missing_rows(links, shape)
        steps = steps_of(shape.num_attempts, self.gap)
        neither = prob_never(links, links.delivers, steps, hard=shape.hard)
        if shape.kind == "blocks":
            size = (-1, shape.num_stragglers + 1)
            empty, both_empty = (jnp.prod(x.reshape(size), axis=1) for x in (missing, neither))
            success = jnp.prod(1.0 - empty)
            both = 1.0 - 2.0 * success + jnp.prod(1.0 - 2.0 * empty + both_empty)
            return jnp.stack([1.0 - success, both])
        return jnp.stack([outage_of(missing, shape), _both_too_few(missing, neither, shape)])


def _both_too_few(missing: Array, neither: Array, shape: Round) -> Array:
    """More than s rows are missing in both rounds; more than s are one state."""
    most = shape.num_stragglers + 1

    def moved(law: Array, axis: int) -> Array:
        full = law.take(most, axis=axis)
        rolled = jnp.roll(law, 1, axis=axis)
        first = jnp.zeros_like(full)
        rolled = rolled.at[0].set(first) if axis == 0 else rolled.at[:, 0].set(first)
        return rolled.at[most].add(full) if axis == 0 else rolled.at[:, most].add(full)

    def one_client(law: Array, client: tuple[Array, Array]) -> tuple[Array, None]:
        misses, both = client
        one = misses - both  # in this round alone
        after = both * moved(moved(law, 0), 1) + one * (moved(law, 0) + moved(law, 1))
        return after + (1.0 - misses - one) * law, None

    start = jnp.zeros((most + 1, most + 1)).at[0, 0].set(1.0)
    law, _ = lax.scan(one_client, start, (missing, neither))
    return law[most, most]


def row_links(network: Network, dynamics: LinkDynamics, shape: Round) -> RowLinks:
    """The chains of the links that each client's row needs."""
    own, place = np.arange(shape.clients), np.arange(shape.num_stragglers + 1)
    senders = (own[:, None] + place) % shape.clients
    if shape.kind == "blocks":  # the own client first
        size = shape.num_stragglers + 1
        senders = own[:, None] // size * size + (own[:, None] % size + place) % size
    chains = link_chains(network, dynamics)
    bad, memory, round_memory = (jnp.asarray(x)[own[:, None], senders] for x in chains)
    states = jnp.asarray(dynamics.good_erasure), jnp.asarray(dynamics.bad_erasure)
    return RowLinks(bad, memory, round_memory, *states)


def missing_rows(links: RowLinks, shape: Round) -> Array:
    """Probability that no complete row of a client arrives in all attempts; [clients]."""
    if shape.keep_heard:
        return missing_where_heard_is_kept(links, shape.num_attempts)
    return prob_never(links, links.delivers, steps_of(shape.num_attempts), hard=shape.hard)


def outage_of(missing: Array, shape: Round) -> Array:
    """Outage of standard decoding, by the number of rows that arrive."""
    rows = to_wide(missing), to_wide(1.0 - missing)
    return to_float64(outage_of_rows(*rows, shape.num_stragglers, shape.kind)[0])


def pattern_law(all_of: Array) -> Array:
    """From "in all attempts of a set" to "in these attempts and no others"; [sets, clients]."""
    number = len(all_of)
    for bit in range(number.bit_length() - 1):
        without = np.arange(number) >> bit & 1 == 0
        with_it = jnp.roll(all_of, -(2**bit), axis=0)
        all_of = all_of - jnp.where(without[:, None], with_it, 0.0)
    return all_of
