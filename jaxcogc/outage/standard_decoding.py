"""The laws themselves: success and outage of the standard decoder as positive sums.

The laws are polynomials in the erasure probabilities, with positive terms only once every success
probability is kept beside its failure probability. They are summed in that form, in float64,
each number with an exponent of its own: nothing cancels, nothing underflows, and derivatives
stay right where a probability is 0 or 1. Called inside 64-bit scopes only.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxcogc._types import Array
from jaxcogc.names import RingKind
from jaxcogc.outage.wide_range_floats import Scaled, add, multiply, scaled, total


def outage_and_success(
    uplink: Array, peer: Array, stragglers: Any, kind: RingKind, attempts: int
) -> tuple[Scaled, Scaled]:
    """Probabilities of an outage and of success of the standard decoder, one code, A attempts.

    Args:
        uplink: [clients] float64 erasure probabilities.
        peer: [clients, clients] float64 erasure probabilities; the diagonal is not looked at.
        stragglers: s, an integer; may be traced.
        kind: ``"cyclic"`` (any M - s rows are needed) or ``"blocks"`` (one row a block of s + 1).
        attempts: number of attempts, static.

    Returns:
        Two scalars that add to 1, each accurate by itself.

    Source: maths.md, section 5.

    >>> with jax.enable_x64(True):
    ...     halves = jnp.full(2, 0.5)
    ...     outage, success = outage_and_success(halves, jnp.zeros((2, 2)), 0, "cyclic", 1)
    ...     print(outage.digits, success.digits * 2.0**success.exponent)
    0.75 0.25
    """
    clients = jnp.arange(uplink.shape[0])
    receivers, senders = clients[:, None], clients[None, :]
    if kind == "cyclic":
        support = (senders - receivers) % clients.size <= stragglers
        missing, complete = _row_probabilities(uplink, peer, support, attempts)
        return _too_few_rows(missing, complete, stragglers)
    size = stragglers + 1
    support = senders // size == receivers // size
    missing, complete = _row_probabilities(uplink, peer, support, attempts)
    return _some_block_empty(missing, complete, (clients + 1) % size == 0)


def _row_probabilities(
    uplink: Array, peer: Array, support: Array, attempts: int
) -> tuple[Scaled, Scaled]:
    """Probabilities that no complete row of a client arrives, and that one does; [clients]."""
    clients = uplink.size
    peer = jnp.where(support & ~jnp.eye(clients, dtype=bool), peer, 0.0)

    def one_link(carry: tuple[Array, Array], erasure: Array) -> tuple[tuple[Array, Array], None]:
        fails, works = carry  # 1 - works would cancel
        return (fails + works * erasure, works * (1.0 - erasure)), None

    (fails, works), _ = jax.lax.scan(one_link, (uplink, 1.0 - uplink), peer.T)
    one = scaled(jnp.ones(clients)), scaled(jnp.zeros(clients))
    fail, work = scaled(fails), scaled(works)

    def one_attempt(carry: tuple[Scaled, Scaled], _: None) -> tuple[tuple[Scaled, Scaled], None]:
        missing, complete = carry
        return (multiply(missing, fail), add(complete, multiply(missing, work))), None

    (missing, complete), _ = jax.lax.scan(one_attempt, one, None, length=attempts)
    return missing, complete


def _too_few_rows(missing: Scaled, complete: Scaled, stragglers: Any) -> tuple[Scaled, Scaled]:
    """Poisson-binomial law: more than ``stragglers`` clients miss, or at most so many."""
    num_missing = jnp.arange(missing.digits.size + 1)
    start = scaled((num_missing == 0).astype(jnp.float64))

    def one_client(law: Scaled, client: tuple[Scaled, Scaled]) -> tuple[Scaled, None]:
        misses, arrives = client
        # What rolls around is 0: no more clients can miss than there were.
        shifted = Scaled(*(jnp.roll(leaf, 1) for leaf in law))
        return add(multiply(law, arrives), multiply(shifted, misses)), None

    law, _ = jax.lax.scan(one_client, start, (missing, complete))
    too_few = num_missing > stragglers
    return total(law, too_few), total(law, ~too_few)


def _some_block_empty(missing: Scaled, complete: Scaled, last: Array) -> tuple[Scaled, Scaled]:
    """Blocks of consecutive clients, ended where ``last``: one without a row, or none."""
    one, zero = scaled(jnp.ones(())), scaled(jnp.zeros(()))

    def select(condition: Array, yes: Scaled, no: Scaled) -> Scaled:
        return Scaled(*(jnp.where(condition, y, n) for y, n in zip(yes, no, strict=True)))

    def one_client(carry: Any, client: Any) -> tuple[Any, None]:
        outage, success, empty, covered = carry
        misses, arrives, ends = client
        covered = add(covered, multiply(empty, arrives))
        empty = multiply(empty, misses)
        outage = select(ends, add(outage, multiply(success, empty)), outage)
        success = select(ends, multiply(success, covered), success)
        return (outage, success, select(ends, one, empty), select(ends, zero, covered)), None

    carry, _ = jax.lax.scan(one_client, (zero, one, one, zero), (missing, complete, last))
    return carry[0], carry[1]
