"""What a scheme makes of one round: the coefficients that the server adds updates with."""

from __future__ import annotations

from typing import NamedTuple

import chex
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int, Int32

from jaxcogc._types import AnyArray, Array


class Coefficients(NamedTuple):
    """What a scheme makes of one round. Under a batch every field has the batch's axes too.

    Attributes:
      weights: floating [clients], c: the server adds sum_k c_k Delta_k; 0 when it holds.
      hold: bool; nothing was recovered: model and optimizer stay as they are.
      exact: bool; the target average itself.
      num_recovered: int32, clients with a non-zero coefficient.
      num_revealed: int32, clients whose own update the server could read from all it received.
      peer_uses: int32, messages between clients.
      uplink_uses: int32, messages to the server.
      slots: int32, how often clients shared and sent up, or the most tries that one of them made.
      num_dimensions: int32, combinations of updates that the server sees beyond their sum; through
        masks where clients wear them.
      largest_share: floating, of the schemes with masks: the most that these combinations hold of
        one client, in [0, 1 - 1/M]; else 0.
    """

    weights: Float[Array, "... clients"]
    hold: Bool[Array, "..."]
    exact: Bool[Array, "..."]
    num_recovered: Int32[Array, "..."]
    num_revealed: Int32[Array, "..."]
    peer_uses: Int32[Array, "..."]
    uplink_uses: Int32[Array, "..."]
    slots: Int32[Array, "..."]
    num_dimensions: Int32[Array, "..."]
    largest_share: Float[Array, "..."]


class Attempted(NamedTuple):
    """What a rule says of the round and of each repeat, as if it were the only one.

    Attributes:
      weights: floating [repeats, clients].
      hold, exact: bool [repeats].
      revealed: bool [repeats, clients], whose own update could be read.
      uplink_uses: int32 [repeats].
      dimensions: int32 [repeats], combinations of updates seen beyond their sum.
      share: floating [repeats], the most that they hold of one client behind masks.
      tries: int32 [repeats], the most of one client; None where all make the attempts of a round.
    """

    weights: Array
    hold: Array
    exact: Array
    revealed: Array
    uplink_uses: Array
    dimensions: Array
    share: Array | None = None
    tries: Array | None = None


class Concluded(NamedTuple):
    """What comes of a round and its repeats.

    Attributes:
      coefficients: num_revealed is that of the last repeat alone.
      made: bool [repeats], which repeats were made.
      last: int32, the one that counts.
      revealed: bool [clients], whose own update the last repeat tells.
    """

    coefficients: Coefficients
    made: Array
    last: Array
    revealed: Array


def conclude(attempted: Attempted, peer_uses: Array, attempts: int) -> Concluded:
    """Keep the first repeat that recovers something; pay for all that were made.

    Args:
      attempted: of the round and its repeats.
      peer_uses: int32 scalar, messages between clients in each.
      attempts: of each.
    """
    chex.assert_equal_shape([attempted.weights, attempted.revealed])
    repeats = attempted.hold.shape[0]
    number = jnp.arange(repeats)
    last = jnp.where(jnp.all(attempted.hold), repeats - 1, jnp.argmin(attempted.hold))
    made = number <= last
    weights = jnp.where(attempted.hold[last], 0, attempted.weights[last])
    tries = jnp.full(repeats, attempts) if attempted.tries is None else attempted.tries
    coefficients = Coefficients(
        weights=weights,
        hold=attempted.hold[last],
        exact=attempted.exact[last] & ~attempted.hold[last],
        num_recovered=jnp.sum(weights != 0, dtype=jnp.int32),
        num_revealed=jnp.sum(attempted.revealed[last], dtype=jnp.int32),
        peer_uses=peer_uses * (last + 1).astype(jnp.int32),
        uplink_uses=jnp.sum(jnp.where(made, attempted.uplink_uses, 0), dtype=jnp.int32),
        slots=jnp.sum(jnp.where(made, tries, 0), dtype=jnp.int32),
        num_dimensions=attempted.dimensions[last].astype(jnp.int32),
        largest_share=jnp.zeros((), weights.dtype)
        if attempted.share is None
        else attempted.share[last].astype(weights.dtype),
    )
    return Concluded(coefficients, made, last, attempted.revealed[last])


def coefficients_of(
    weights: Float[Array, "clients"],
    *,
    uplink_uses: int | Int[AnyArray, ""],
    peer_uses: int | Int[AnyArray, ""] = 0,
    slots: int | Int[AnyArray, ""] = 1,
    num_revealed: int | Int[AnyArray, ""] = 0,
    num_dimensions: int | Int[AnyArray, ""] = 0,
    hold: bool | Bool[AnyArray, ""] | None = None,
    exact: bool | Bool[AnyArray, ""] = False,
) -> Coefficients:
    """The Coefficients of a scheme of one's own, with their dtypes.

    Args:
      weights: floating [clients].
      uplink_uses, peer_uses, slots, num_revealed, num_dimensions, exact: see Coefficients; a
        number each.
      hold: None: where all weights are 0.

    >>> found = coefficients_of(jnp.array([0.5, 0.5, 0.0]), uplink_uses=3)
    >>> bool(found.hold), int(found.num_recovered)
    (False, 2)
    """
    weights = jnp.asarray(weights)
    count = jnp.sum(weights != 0, dtype=jnp.int32)
    return Coefficients(
        weights=weights,
        hold=count == 0 if hold is None else jnp.asarray(hold, bool),
        exact=jnp.asarray(exact, bool),
        num_recovered=count,
        num_revealed=jnp.asarray(num_revealed, jnp.int32),
        peer_uses=jnp.asarray(peer_uses, jnp.int32),
        uplink_uses=jnp.asarray(uplink_uses, jnp.int32),
        slots=jnp.asarray(slots, jnp.int32),
        num_dimensions=jnp.asarray(num_dimensions, jnp.int32),
        largest_share=jnp.zeros((), weights.dtype),
    )
