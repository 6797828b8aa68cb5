"""Rules of the schemes in which clients send their own updates: who arrives is all that counts."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from jaxcogc._types import Array, HostFloats
from jaxcogc.federated.aggregation.coefficients import Attempted
from jaxcogc.federated.aggregation.link_evidence import Evidence


def average(who: Array, dtype: DTypeLike, *, blind: bool = False) -> Array:
    """1/|who| (blind: 1/M) on ``who`` [.., clients]; correctly rounded, from a table."""
    clients = who.shape[-1]
    inverse = (1.0 / np.maximum(np.arange(clients + 1), 1)).astype(dtype)
    count = jnp.full(who.shape[:-1], clients) if blind else jnp.sum(who, -1, dtype=jnp.int32)
    return jnp.where(who, jnp.asarray(inverse)[count][..., None], jnp.zeros((), dtype))


def uplink_uses(evidence: Evidence, times: int = 1) -> Array:
    """Uplink uses [repeats] when every client that takes part sends so many times."""
    repeats = evidence.uplink_delivered.shape[0]
    return jnp.broadcast_to(jnp.sum(evidence.alive, dtype=jnp.int32), (repeats,)) * times


def held_below(rule: Callable[[Evidence], Attempted]) -> Callable[[Evidence], Attempted]:
    """The rule, but a partial average over fewer clients than the policy asks for is held."""

    def attempt(evidence: Evidence) -> Attempted:
        found = rule(evidence)
        if evidence.policy.min_recovered == 1:
            return found
        count = jnp.sum(found.weights != 0, -1, dtype=jnp.int32)
        few = (count < evidence.policy.min_recovered) & ~found.exact
        return found._replace(hold=found.hold | few)

    return attempt


def of_some(who: Array, weights: Array, uses: Array) -> Attempted:
    """Exact where ``who`` [repeats, clients] is everybody, held where it is nobody."""
    everybody = jnp.all(who, -1)
    seen = jnp.sum(who, -1, dtype=jnp.int32) - everybody
    return Attempted(weights, ~jnp.any(who, -1), everybody, who, uses, seen)


def ideal(evidence: Evidence) -> Attempted:
    """No link fails."""
    repeats = evidence.uplink_delivered.shape[0]
    who = jnp.broadcast_to(evidence.alive, (repeats, *evidence.alive.shape))
    return of_some(who, average(who, evidence.dtype), uplink_uses(evidence))


def intermittent(evidence: Evidence) -> Attempted:
    """The average of those whose uplink works."""
    who = evidence.uplink_delivered[:, 0]
    return of_some(who, average(who, evidence.dtype), uplink_uses(evidence))


def intermittent_blind(evidence: Evidence) -> Attempted:
    """1/M for those whose uplink works; the server does not know who they are."""
    who = evidence.uplink_delivered[:, 0]
    return of_some(who, average(who, evidence.dtype, blind=True), uplink_uses(evidence))


def inverse_probability(evidence: Evidence) -> Attempted:
    """1 / (M (1 - p_m)) for those whose uplink works: unbiased, and needs the p's."""
    who, weight = evidence.uplink_delivered[:, 0], evidence.arrival_weight
    weights = jnp.where(who, weight, jnp.zeros((), evidence.dtype))
    fair = jnp.asarray(1.0 / weight.shape[-1], evidence.dtype)
    found = of_some(who, weights, uplink_uses(evidence))
    return found._replace(exact=found.exact & jnp.all(weight == fair))


def retransmission(evidence: Evidence) -> Attempted:
    """Every client tries until it is heard, n times at most, and pays for the tries it made."""
    most = evidence.policy.num_tries
    tries = evidence.uplink_delivered[:, :most]
    who = jnp.any(tries, axis=1)
    made = jnp.where(who, jnp.argmax(tries, axis=1) + 1, most)
    made = jnp.where(evidence.alive, made, 0).astype(jnp.int32)
    uses = jnp.sum(made, -1, dtype=jnp.int32)
    return of_some(who, average(who, evidence.dtype), uses)._replace(tries=jnp.max(made, -1))


def mean_of_average(lost: HostFloats) -> HostFloats:
    """The mean coefficients of the average of who arrives: k heard, times E[1 / (1 + others)]."""
    inverse = 1 / np.arange(1, len(lost) + 1)
    means = []
    for client in range(len(lost)):
        others = np.ones(1)  # distribution of how many others arrive
        for p in np.delete(lost, client):
            others = np.convolve(others, [p, 1 - p])
        means.append(others @ inverse)
    return (1 - lost) * np.array(means)
