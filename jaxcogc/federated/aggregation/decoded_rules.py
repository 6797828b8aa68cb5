"""Rules of the schemes that decode sums: of codes, of relays, behind masks."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxcogc._types import Array
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.federated.aggregation.arrival_rules import average, of_some, uplink_uses
from jaxcogc.federated.aggregation.coefficients import Attempted
from jaxcogc.federated.aggregation.link_evidence import Evidence

_SAME = 1e-10
"""Squared distance of the sum from the rows, a client, below which it is one of them: it was
projected in single precision at worst."""
_NEGLIGIBLE = 1e-9
"""A least-squares coefficient below this is rounding; exact zeros come out near 1e-17."""


def _all_or_nothing(evidence: Evidence, recovered: Recovery, uses: Array) -> Attempted:
    who = jnp.broadcast_to(recovered.gc[:, None], recovered.client_recovered.shape)
    weights = average(who, evidence.dtype)
    seen = _beyond_the_sum(recovered)
    return Attempted(weights, ~recovered.gc, recovered.gc, recovered.client_recovered, uses, seen)


def _beyond_the_sum(found: Recovery) -> Array:
    """Dimensions of the rows received that tell something else than the sum."""
    return found.rank - found.sum_recovered


def replicated_gc(evidence: Evidence) -> Attempted:
    """Clients hold the data of their rows' support, so that sharing cannot fail."""
    return _all_or_nothing(evidence, evidence.recovered["free"], uplink_uses(evidence))


def gc(evidence: Evidence) -> Attempted:
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


def gc_plus(evidence: Evidence) -> Attempted:
    """Complementary decoding: what `gc` gives, else the clients recovered one by one."""
    found = evidence.recovered["links"]
    return _partial(evidence, found.gc, found)


def row_space(evidence: Evidence) -> Attempted:
    """The exact average whenever the rows that arrived span it, else as `gc_plus`."""
    found = evidence.recovered["links"]
    return _partial(evidence, found.sum_recovered, found)


def least_squares(evidence: Evidence) -> Attempted:
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


def gc_plus_unbiased(evidence: Evidence) -> Attempted:
    """As `gc_plus`, each update over how often it is recovered."""
    found = evidence.recovered["links"]
    return _unbiased(evidence, "gc_plus", found.gc, found)


def row_space_unbiased(evidence: Evidence) -> Attempted:
    """As `row_space`, each update over how often it is recovered."""
    found = evidence.recovered["links"]
    return _unbiased(evidence, "row_space", found.sum_recovered, found)


def colrel(evidence: Evidence) -> Attempted:
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


def secure_gc(evidence: Evidence) -> Attempted:
    """The average of masked updates, where `gc` has it."""
    return _secure(evidence, evidence.recovered["links"].gc)


def secure_row_space(evidence: Evidence) -> Attempted:
    """The average of masked updates, where `row_space` has it; if asked for, also over some."""
    found = evidence.recovered["links"]
    secure = _secure(evidence, found.sum_recovered)
    if not evidence.policy.masked_partials:
        return secure
    some = _partial(evidence, found.sum_recovered, found)
    return secure._replace(weights=some.weights, hold=some.hold)
