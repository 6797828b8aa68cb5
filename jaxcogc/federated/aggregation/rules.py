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
import numpy as np
from jax.typing import DTypeLike

from jaxcogc._types import Array, HostFloats
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.decoding import gc_plus_weights, gc_weights, row_space_weights
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.federated.aggregation.coefficients import Attempted
from jaxcogc.federated.aggregation.link_evidence import Evidence, Sharing
from jaxcogc.links.draws import Links

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

    @property
    def coded(self) -> bool:
        """Whether a gradient code is needed."""
        return self.sharing is not None


def _average(who: Array, dtype: DTypeLike, *, blind: bool = False) -> Array:
    """1/|who| (blind: 1/M) on ``who`` [.., clients]; correctly rounded, from a table."""
    clients = who.shape[-1]
    inverse = (1.0 / np.maximum(np.arange(clients + 1), 1)).astype(dtype)
    count = jnp.full(who.shape[:-1], clients) if blind else jnp.sum(who, -1, dtype=jnp.int32)
    return jnp.where(who, jnp.asarray(inverse)[count][..., None], jnp.zeros((), dtype))


def _uses(evidence: Evidence, times: int = 1) -> Array:
    """Uplink uses [repeats] when every client that takes part sends so many times."""
    repeats = evidence.uplink_delivered.shape[0]
    return jnp.broadcast_to(jnp.sum(evidence.alive, dtype=jnp.int32), (repeats,)) * times


def _of_some(who: Array, weights: Array, uses: Array) -> Attempted:
    """Exact where ``who`` [repeats, clients] is everybody, held where it is nobody."""
    return Attempted(weights, ~jnp.any(who, -1), jnp.all(who, -1), who, uses)


def _ideal(evidence: Evidence) -> Attempted:
    """No link fails."""
    repeats = evidence.uplink_delivered.shape[0]
    who = jnp.broadcast_to(evidence.alive, (repeats, *evidence.alive.shape))
    return _of_some(who, _average(who, evidence.dtype), _uses(evidence))


def _intermittent(evidence: Evidence) -> Attempted:
    """The average of those whose uplink works."""
    who = evidence.uplink_delivered[:, 0]
    return _of_some(who, _average(who, evidence.dtype), _uses(evidence))


def _intermittent_blind(evidence: Evidence) -> Attempted:
    """1/M for those whose uplink works; the server does not know who they are."""
    who = evidence.uplink_delivered[:, 0]
    return _of_some(who, _average(who, evidence.dtype, blind=True), _uses(evidence))


def _inverse_probability(evidence: Evidence) -> Attempted:
    """1 / (M (1 - p_m)) for those whose uplink works: unbiased, and needs the p's."""
    who, weight = evidence.uplink_delivered[:, 0], evidence.arrival_weight
    weights = jnp.where(who, weight, jnp.zeros((), evidence.dtype))
    fair = jnp.asarray(1.0 / weight.shape[-1], evidence.dtype)
    found = _of_some(who, weights, _uses(evidence))
    return found._replace(exact=found.exact & jnp.all(weight == fair))


def _retransmission(evidence: Evidence) -> Attempted:
    """Every client tries until it is heard, n times at most, and pays for the tries it made."""
    most = evidence.policy.num_tries
    tries = evidence.uplink_delivered[:, :most]
    who = jnp.any(tries, axis=1)
    made = jnp.where(who, jnp.argmax(tries, axis=1) + 1, most)
    uses = jnp.sum(jnp.where(evidence.alive, made, 0), -1, dtype=jnp.int32)
    return _of_some(who, _average(who, evidence.dtype), uses)


def _all_or_nothing(evidence: Evidence, recovered: Recovery, uses: Array) -> Attempted:
    who = jnp.broadcast_to(recovered.gc[:, None], recovered.client_recovered.shape)
    weights = _average(who, evidence.dtype)
    return Attempted(weights, ~recovered.gc, recovered.gc, recovered.client_recovered, uses)


def _replicated_gc(evidence: Evidence) -> Attempted:
    """Clients hold the data of their rows' support, so that sharing cannot fail."""
    return _all_or_nothing(evidence, evidence.recovered["free"], _uses(evidence))


def _gc(evidence: Evidence) -> Attempted:
    """Standard decoding: complete rows only, all or nothing."""
    uses = _uses(evidence, evidence.policy.num_attempts)
    return _all_or_nothing(evidence, evidence.recovered["links"], uses)


def _partial(evidence: Evidence, full: Array, revealed: Array) -> Attempted:
    """Everybody where ``full`` [repeats], else the average over K."""
    who = revealed | full[:, None]
    blind = evidence.policy.partial_normalisation == "clients"
    weights = _average(who, evidence.dtype, blind=blind)
    uses = _uses(evidence, evidence.policy.num_attempts)
    return _of_some(who, weights, uses)._replace(revealed=revealed)


def _gc_plus(evidence: Evidence) -> Attempted:
    """Complementary decoding: what `gc` gives, else the clients recovered one by one."""
    found = evidence.recovered["links"]
    return _partial(evidence, found.gc, found.client_recovered)


def _row_space(evidence: Evidence) -> Attempted:
    """The exact average whenever the rows that arrived span it, else as `gc_plus`."""
    found = evidence.recovered["links"]
    return _partial(evidence, found.sum_recovered, found.client_recovered)


def _least_squares(evidence: Evidence) -> Attempted:
    """The combination closest to the average that can be formed, (1/M) P 1."""
    found, projection = evidence.recovered["links"], evidence.projection
    assert projection is not None
    with jax.enable_x64(True):
        small = jnp.abs(projection) <= _NEGLIGIBLE
        projection = jnp.where(small, 0.0, projection).astype(evidence.dtype)
    exact = found.sum_recovered
    everybody = jnp.ones_like(found.client_recovered)
    weights = jnp.where(exact[:, None], _average(everybody, evidence.dtype), projection)
    uses = _uses(evidence, evidence.policy.num_attempts)
    return Attempted(weights, found.rank == 0, exact, found.client_recovered, uses)


def _mean_of_average(lost: HostFloats) -> HostFloats:
    """The mean coefficients of the average of who arrives: k heard, times E[1 / (1 + others)]."""
    inverse = 1 / np.arange(1, len(lost) + 1)
    means = []
    for client in range(len(lost)):
        others = np.ones(1)  # distribution of how many others arrive
        for p in np.delete(lost, client):
            others = np.convolve(others, [p, 1 - p])
        means.append(others @ inverse)
    return (1 - lost) * np.array(means)


RULES = {
    "ideal": SchemeRule(_ideal, all_or_nothing=True),
    "intermittent": SchemeRule(_intermittent, arrival_law=_mean_of_average),
    "intermittent_blind": SchemeRule(
        _intermittent_blind, arrival_law=lambda lost: (1 - lost) / len(lost)
    ),
    "inverse_probability": SchemeRule(
        _inverse_probability, arrival_law=lambda lost: (lost < 1) / len(lost)
    ),
    "retransmission": SchemeRule(_retransmission, several_tries=True, arrival_law=_mean_of_average),
    "replicated_gc": SchemeRule(
        _replicated_gc, sharing="free", sum_decoder=gc_weights, all_or_nothing=True
    ),
    "gc": SchemeRule(
        _gc, sharing="links", sum_decoder=gc_weights, all_or_nothing=True, outcomes="gc"
    ),
    "gc_plus": SchemeRule(
        _gc_plus,
        sharing="links",
        sum_decoder=gc_weights,
        client_decoder=gc_plus_weights,
        outcomes="gc_plus",
    ),
    "row_space": SchemeRule(
        _row_space,
        sharing="links",
        sum_decoder=row_space_weights,
        client_decoder=gc_plus_weights,
        outcomes="row_space",
    ),
    "least_squares": SchemeRule(
        _least_squares, sharing="links", projects=True, sum_decoder=row_space_weights
    ),
}
"""By name, in the order of `jaxcogc.names.SCHEMES`."""
