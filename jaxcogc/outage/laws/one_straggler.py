"""Exact laws of every decoder for one cyclic code with s = 1, where decoding needs no algebra.

A complete row of client m is an edge of the ring, from m to m + 1; an incomplete one holds m alone
and is a loop there. Over all attempts a client's rows come to one of four states: nothing, a loop
only, an edge only, both. A stretch of edges is a component of the ring: one loop recovers all its
clients, none leaves their (weighted) sum alone. So the laws are walks around the ring, and sums of
positive terms.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from jaxcogc._types import AnyArray, Array
from jaxcogc.outage.laws.differentiable import Probability


class OneStragglerLaw(NamedTuple):
    """Probabilities of one round; float64 scalars, and [clients].

    Attributes:
      full: the exact average, by GC+ and by row-space decoding alike.
      none: GC+ recovers nothing.
      all_individuals: every client's own update is known.
      client_recovered: a client's own update is known; [clients].
    """

    full: Probability
    none: Probability
    all_individuals: Probability
    client_recovered: AnyArray


class RowStates(NamedTuple):
    """Probabilities of what a client's rows come to in all attempts; [clients] each.

    Attributes:
      nothing: nothing arrives.
      loop: incomplete rows alone.
      edge: complete rows alone.
      both: of both kinds.
    """

    nothing: Array
    loop: Array
    edge: Array
    both: Array


def one_straggler_law(states: RowStates) -> OneStragglerLaw:
    """The laws of a cyclic code with one straggler, the same code in all attempts.

    Args:
      states: of at least two clients, independent of each other.

    >>> import jax
    >>> with jax.enable_x64(True):
    ...     law = one_straggler_law(row_states(jnp.zeros(4), jnp.ones((4, 4)), 1))
    ...     print(law.full, law.all_individuals)
    1.0 1.0
    """
    all_individuals = _all_individuals(states)
    bare_ring = jnp.prod(states.edge)
    only_edges_but_one = jnp.sum(states.nothing * _others(states.edge))
    return OneStragglerLaw(
        all_individuals + bare_ring + only_edges_but_one,
        _no_loop_and_two_gaps(states),
        all_individuals,
        1.0 - _not_recovered(states) - only_edges_but_one - bare_ring,
    )


def stacked(law: OneStragglerLaw) -> Array:
    """One law after another: [3 + clients]."""
    return jnp.concatenate([jnp.stack(law[:3]), law.client_recovered])


def row_states(uplink: Array, peer: Array, attempts: int) -> RowStates:
    """What rows come to over independent links, attempt by attempt, so that nothing cancels.

    Args:
      uplink: [clients] float64 erasure probabilities.
      peer: [clients, clients] float64 erasure probabilities; only those from the next client on
        the ring are looked at.
      attempts: static.
    """
    client = jnp.arange(uplink.size)
    from_next = peer[client, (client + 1) % uplink.size]
    complete = (1.0 - uplink) * (1.0 - from_next)
    incomplete = (1.0 - uplink) * from_next

    def one_attempt(states: RowStates, _: None) -> tuple[RowStates, None]:
        nothing, loop, edge, both = states
        after = RowStates(
            nothing * uplink,
            loop * (uplink + incomplete) + nothing * incomplete,
            edge * (uplink + complete) + nothing * complete,
            both + loop * complete + edge * incomplete,
        )
        return after, None

    zeros, ones = jnp.zeros_like(uplink), jnp.ones_like(uplink)
    return lax.scan(one_attempt, RowStates(ones, zeros, zeros, zeros), None, length=attempts)[0]


def _all_individuals(states: RowStates) -> Array:
    """Every component has a loop: a walk around the ring that is not all edges without one.

    States of the walk: the component under way has no loop yet, or has one; and whether anything
    but bare edges was met.
    """
    nothing, loop, edge, both = states
    zero = jnp.zeros_like(edge)
    bare = _matrices([[edge, zero], [zero, edge]])
    other = _matrices([[loop, both], [nothing + loop, both]])

    def one_client(
        walk: tuple[Array, Array], step: tuple[Array, Array]
    ) -> tuple[tuple[Array, Array], None]:
        (only_bare, met), (edge, rest) = walk, step
        return (only_bare @ edge, met @ (edge + rest) + only_bare @ rest), None

    start = jnp.eye(2, dtype=edge.dtype), jnp.zeros((2, 2), edge.dtype)
    (_, met), _ = lax.scan(one_client, start, (bare, other))
    return jnp.trace(met)


def _matrices(rows: list[list[Array]]) -> Array:
    """[clients, 2, 2] of four arrays [clients]."""
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


def _no_loop_and_two_gaps(states: RowStates) -> Array:
    """No loop anywhere, and at least two clients of which nothing arrives."""

    def one_client(law: Array, client: tuple[Array, Array]) -> tuple[Array, None]:
        nothing, edge = client
        more = jnp.stack([jnp.zeros_like(nothing), law[0] * nothing, (law[1] + law[2]) * nothing])
        return law * edge + more, None

    start = jnp.array([1.0, 0.0, 0.0], states.edge.dtype)
    law, _ = lax.scan(one_client, start, (states.nothing, states.edge))
    return law[2]


def _not_recovered(states: RowStates) -> Array:
    """A client's component is no whole ring and has no loop; [clients].

    The component of the clients i .. i + v - 1: no edge leads into it, all inside are bare edges,
    and of its last client nothing arrives.
    """
    nothing, loop, edge, _ = states
    clients = edge.size

    def one_more(carry: tuple[Array, Array], length: Array) -> tuple[tuple[Array, Array], None]:
        inside, total = carry  # inside[i]: bare edges of the clients i .. i + length - 2
        first = jnp.arange(clients)
        last = (first + length - 1) % clients
        law = (nothing + loop)[(first - 1) % clients] * inside * nothing[last]
        # Whom an arc that begins at i holds: the clients less than `length` behind i.
        held = (first[:, None] - first) % clients < length
        return (inside * edge[last], total + held.astype(law.dtype) @ law), None

    start = jnp.ones_like(edge), jnp.zeros_like(edge)
    return lax.scan(one_more, start, jnp.arange(1, clients))[0][1]


def _others(numbers: Array) -> Array:
    """Of each number the product of all others, without dividing."""
    one = jnp.ones_like(numbers[:1])
    before = jnp.concatenate([one, jnp.cumprod(numbers)[:-1]])
    after = jnp.concatenate([jnp.cumprod(numbers[::-1])[::-1][1:], one])
    return before * after
