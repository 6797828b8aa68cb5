"""The schemes: for each, its rule from a round's links to coefficients, and what else is known.

Every scheme is linear: the server adds sum_k c_k Delta_k, or holds. A rule turns Evidence into c
for the round and each of its repeats. `RULES` is the one table of schemes: who adds a scheme writes
its rule here, a line in the table, and its name into `jaxcogc.names`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcogc._types import Array, HostFloats
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.decoding import gc_plus_weights, gc_weights, row_space_weights
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.federated.aggregation.arrival_rules import (
    average,
    held_below,
    ideal,
    intermittent,
    intermittent_blind,
    inverse_probability,
    mean_of_average,
    of_some,
    retransmission,
    uplink_uses,
)
from jaxcogc.federated.aggregation.client_states import Remembered
from jaxcogc.federated.aggregation.coefficients import Attempted
from jaxcogc.federated.aggregation.link_evidence import Evidence, Sharing
from jaxcogc.links.draws import Links

_SAME = 1e-10
"""Squared distance of the sum from the rows, a client, below which it is one of them: it was
projected in single precision at worst."""
_NEGLIGIBLE = 1e-9
"""A least-squares coefficient below this is rounding; exact zeros come out near 1e-17."""


Decoder = Callable[[GradientCode, Links], Array]
"""From what arrived to weights of the received rows."""


class SchemeRule(NamedTuple):
    """A scheme, as the rest of the program asks for it.

    Attributes:
      attempt: the rule, from Evidence to coefficients.
      sharing: how clients share what they send coded sums of; None: they do not, and no code is
        needed. Sharing over links costs uses.
      several_tries: a client tries its uplink num_tries times at most; elsewhere once an attempt.
      projects: the rule looks at the least-squares projection.
      sum_decoder: weights [rows] of the received rows that give the sum of all updates; of schemes
        that share.
      client_decoder: weights [clients, rows] that give the updates of single clients; of schemes
        that fall back on averages over some.
      all_or_nothing: every round gives the exact average or nothing.
      arrival_law: from erasure probabilities of uplinks [clients] to the mean coefficients
        [clients]; of schemes in which a coefficient depends on who arrives and nothing else.
      outcomes: the decoder, in the names of exact and simulated outcomes, whose averages they are.
      relays: clients pass on weighted sums of what they hear; the weights are known beforehand.
      unbiased: the scheme whose recovered clients are weighed by the inverse of how often they are;
        the clients scale what they share, so that a decoded sum is scaled as well.
      remembers: what is kept of each client from round to round.
      masked: clients hide their updates behind masks that add up to 0.
    """

    attempt: Callable[[Evidence], Attempted]
    sharing: Sharing | None = None
    several_tries: bool = False
    projects: bool = False
    sum_decoder: Decoder | None = None
    client_decoder: Decoder | None = None
    all_or_nothing: bool = False
    arrival_law: Callable[[HostFloats], HostFloats] | None = None
    outcomes: str | None = None
    relays: bool = False
    unbiased: str | None = None
    remembers: Remembered | None = None
    masked: bool = False

    @property
    def coded(self) -> bool:
        """Whether a gradient code is needed."""
        return self.sharing is not None


def _all_or_nothing(evidence: Evidence, recovered: Recovery, uses: Array) -> Attempted:
    who = jnp.broadcast_to(recovered.gc[:, None], recovered.client_recovered.shape)
    weights = average(who, evidence.dtype)
    seen = _beyond_the_sum(recovered)
    return Attempted(weights, ~recovered.gc, recovered.gc, recovered.client_recovered, uses, seen)


def _beyond_the_sum(found: Recovery) -> Array:
    """Dimensions of the rows received that tell something else than the sum."""
    return found.rank - found.sum_recovered


def _replicated_gc(evidence: Evidence) -> Attempted:
    """Clients hold the data of their rows' support, so that sharing cannot fail."""
    return _all_or_nothing(evidence, evidence.recovered["free"], uplink_uses(evidence))


def _gc(evidence: Evidence) -> Attempted:
    """Standard decoding: complete rows only, all or nothing."""
    uses = uplink_uses(evidence, evidence.policy.num_attempts)
    return _all_or_nothing(evidence, evidence.recovered["links"], uses)


def _partial(evidence: Evidence, full: Array, found: Recovery) -> Attempted:
    """Everybody where ``full`` [repeats], else the average over K."""
    revealed, seen = found.client_recovered, _beyond_the_sum(found)
    who = revealed | full[:, None]
    blind = evidence.policy.partial_normalisation == "clients"
    weights = average(who, evidence.dtype, blind=blind)
    uses = uplink_uses(evidence, evidence.policy.num_attempts)
    return of_some(who, weights, uses)._replace(revealed=revealed, dimensions=seen)


def _gc_plus(evidence: Evidence) -> Attempted:
    """Complementary decoding: what `gc` gives, else the clients recovered one by one."""
    found = evidence.recovered["links"]
    return _partial(evidence, found.gc, found)


def _row_space(evidence: Evidence) -> Attempted:
    """The exact average whenever the rows that arrived span it, else as `gc_plus`."""
    found = evidence.recovered["links"]
    return _partial(evidence, found.sum_recovered, found)


def _least_squares(evidence: Evidence) -> Attempted:
    """The combination closest to the average that can be formed, (1/M) P 1."""
    found, projection = evidence.recovered["links"], evidence.projection
    assert projection is not None
    with jax.enable_x64(True):
        small = jnp.abs(projection) <= _NEGLIGIBLE
        projection = jnp.where(small, 0.0, projection).astype(evidence.dtype)
    exact = found.sum_recovered
    everybody = jnp.ones_like(found.client_recovered)
    weights = jnp.where(exact[:, None], average(everybody, evidence.dtype), projection)
    uses = uplink_uses(evidence, evidence.policy.num_attempts)
    seen = _beyond_the_sum(found)
    return Attempted(weights, found.rank == 0, exact, found.client_recovered, uses, seen)


def _unbiased(evidence: Evidence, name: str, full: Array, found: Recovery) -> Attempted:
    """1 / (M P(k is recovered)) for everybody recovered: unbiased, and needs those probabilities.

    Clients share their update over that probability, so that the sum alone serves as well.
    """
    revealed, seen = found.client_recovered, _beyond_the_sum(found)
    who, weight = revealed | full[:, None], evidence.fair_weights[name]
    weights = jnp.where(who, weight, jnp.zeros((), evidence.dtype))
    made = of_some(who, weights, uplink_uses(evidence, evidence.policy.num_attempts))
    fair = jnp.asarray(1.0 / weight.shape[-1], evidence.dtype)
    exact = made.exact & jnp.all(weight == fair)
    return made._replace(revealed=revealed, exact=exact, dimensions=seen)


def _gc_plus_unbiased(evidence: Evidence) -> Attempted:
    found = evidence.recovered["links"]
    return _unbiased(evidence, "gc_plus", found.gc, found)


def _row_space_unbiased(evidence: Evidence) -> Attempted:
    found = evidence.recovered["links"]
    return _unbiased(evidence, "row_space", found.sum_recovered, found)


def _colrel(evidence: Evidence) -> Attempted:
    """Collaborative relaying: c / M, where c_j adds up the weights with which j was passed on."""
    assert evidence.relayed is not None
    counts, found = evidence.relayed
    revealed = found.client_recovered
    with jax.enable_x64(True):
        exact = jnp.all(jnp.abs(counts - 1) <= _NEGLIGIBLE, axis=-1)
        weights = (counts / counts.shape[-1]).astype(evidence.dtype)
    everybody = jnp.ones_like(revealed)
    weights = jnp.where(exact[:, None], average(everybody, evidence.dtype), weights)
    uses = uplink_uses(evidence, evidence.policy.num_attempts)
    held, seen = ~jnp.any(weights != 0, -1), _beyond_the_sum(found)
    return Attempted(weights, held, exact, revealed, uses, seen)


def _secure(evidence: Evidence, full: Array) -> Attempted:
    """The exact average of masked updates where ``full`` [repeats]: any other one is noise."""
    found = evidence.recovered["links"]
    who = jnp.broadcast_to(full[:, None], found.client_recovered.shape)
    uses = uplink_uses(evidence, evidence.policy.num_attempts)
    nobody, seen = jnp.zeros_like(who), _beyond_the_sum(found)
    weights = average(who, evidence.dtype)
    return Attempted(weights, ~full, full, nobody, uses, seen, _largest_share(evidence))


def _largest_share(evidence: Evidence) -> Array:
    """max_k ||W e_k||^2, W a basis of what the rows and the sum span, less the sum: [repeats]."""
    project = evidence.projector
    assert project is not None
    clients = project.shape[-1]
    rest = 1 - jnp.sum(project, axis=-1)  # what no row tells of the sum, [repeats, clients]
    square = jnp.sum(rest**2, axis=-1, keepdims=True)
    added = jnp.where(square > clients * _SAME, rest**2 / jnp.where(square > 0, square, 1), 0)
    seen = jnp.diagonal(project, axis1=-2, axis2=-1) + added - 1 / clients
    return jnp.clip(jnp.max(seen, axis=-1), 0, 1 - 1 / clients)


def _secure_gc(evidence: Evidence) -> Attempted:
    return _secure(evidence, evidence.recovered["links"].gc)


def _secure_row_space(evidence: Evidence) -> Attempted:
    return _secure(evidence, evidence.recovered["links"].sum_recovered)


RULES = {
    "ideal": SchemeRule(ideal, all_or_nothing=True),
    "intermittent": SchemeRule(held_below(intermittent), arrival_law=mean_of_average),
    "intermittent_blind": SchemeRule(
        intermittent_blind, arrival_law=lambda lost: (1 - lost) / len(lost)
    ),
    "inverse_probability": SchemeRule(
        inverse_probability, arrival_law=lambda lost: (lost < 1) / len(lost)
    ),
    "retransmission": SchemeRule(
        held_below(retransmission), several_tries=True, arrival_law=mean_of_average
    ),
    "replicated_gc": SchemeRule(
        _replicated_gc, sharing="free", sum_decoder=gc_weights, all_or_nothing=True
    ),
    "gc": SchemeRule(
        _gc, sharing="links", sum_decoder=gc_weights, all_or_nothing=True, outcomes="gc"
    ),
    "gc_plus": SchemeRule(
        held_below(_gc_plus),
        sharing="links",
        sum_decoder=gc_weights,
        client_decoder=gc_plus_weights,
        outcomes="gc_plus",
    ),
    "row_space": SchemeRule(
        held_below(_row_space),
        sharing="links",
        sum_decoder=row_space_weights,
        client_decoder=gc_plus_weights,
        outcomes="row_space",
    ),
    "least_squares": SchemeRule(
        _least_squares, sharing="links", projects=True, sum_decoder=row_space_weights
    ),
    "colrel": SchemeRule(_colrel, relays=True),
    "gc_plus_unbiased": SchemeRule(
        _gc_plus_unbiased,
        sharing="links",
        sum_decoder=gc_weights,
        client_decoder=gc_plus_weights,
        unbiased="gc_plus",
    ),
    "row_space_unbiased": SchemeRule(
        _row_space_unbiased,
        sharing="links",
        sum_decoder=row_space_weights,
        client_decoder=gc_plus_weights,
        unbiased="row_space",
    ),
    "intermittent+memory": SchemeRule(intermittent, remembers="updates"),
    "intermittent_blind+memory": SchemeRule(intermittent_blind, remembers="updates"),
    "inverse_probability+memory": SchemeRule(inverse_probability, remembers="updates"),
    "gc_plus+memory": SchemeRule(
        _gc_plus,
        sharing="links",
        sum_decoder=gc_weights,
        client_decoder=gc_plus_weights,
        remembers="updates",
    ),
    "row_space+memory": SchemeRule(
        _row_space,
        sharing="links",
        sum_decoder=row_space_weights,
        client_decoder=gc_plus_weights,
        remembers="updates",
    ),
    "projected_memory": SchemeRule(
        _least_squares,
        sharing="links",
        projects=True,
        sum_decoder=row_space_weights,
        remembers="projections",
    ),
    "implicit_gossip": SchemeRule(intermittent, remembers="models"),
    "secure_gc": SchemeRule(
        _secure_gc, sharing="links", sum_decoder=gc_weights, all_or_nothing=True, masked=True
    ),
    "secure_row_space": SchemeRule(
        _secure_row_space,
        sharing="links",
        sum_decoder=row_space_weights,
        all_or_nothing=True,
        masked=True,
    ),
}
"""By name, in the order of `jaxcogc.names.SCHEMES`."""
