"""Rows as bit masks: which clients of the ring a received row holds, by offset from its own."""

from __future__ import annotations

from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def pack_offsets(held: jax.Array) -> jax.Array:
    """Bit masks of rows, by offset.

    Args:
      held: bool [trials, attempts, clients, clients].

    Returns:
      uint32 [words, attempts, clients, trials]; bit ``offset % 32`` of word ``offset // 32``
      belongs to the client ``offset`` places after the row's own on the ring.
    """
    clients = held.shape[-1]
    held = jnp.pad(held, ((0, 0),) * 3 + ((0, -clients % 4),))
    four = held.reshape(*held.shape[:-1], -1, 4).astype(jnp.uint8)
    fours = jnp.moveaxis(lax.bitcast_convert_type(four, jnp.uint32), 0, -1)
    return _turn(_gather_bits(fours), clients)


def _gather_bits(fours: jax.Array) -> list[jax.Array]:
    """Bits by client, in words [attempts, clients, trials], from four 0/1 bytes a number."""
    # The product brings bit 0 of byte i to bit 24 + i; no two of its terms meet.
    nibbles = (fours * np.uint32(0x01020408)) >> 24 & 15
    count = fours.shape[2]
    return [
        reduce(
            jnp.bitwise_or,
            (nibbles[:, :, q] << 4 * (q - first) for q in range(first, min(first + 8, count))),
        )
        for first in range(0, count, 8)
    ]


def _turn(words: list[jax.Array], clients: int) -> jax.Array:
    """Turn the bits of every row so that its own client comes first: by offset, [words, ..]."""
    nothing = jnp.zeros_like(words[0])
    twice = [*words, *[nothing] * (len(words) + 2)]  # the bits two times over, one round behind
    word, bit = divmod(clients, 32)
    for n, x in enumerate(words):
        twice[n + word] |= x << bit
        twice[n + word + 1] |= x >> 32 - bit
    row = np.arange(clients, dtype=np.uint32)[:, None]
    turned = []
    for n in range(len(words)):
        low, high = nothing, nothing
        for first in range(len(words)):
            low = jnp.where(row // 32 == first, twice[first + n], low)
            high = jnp.where(row // 32 == first, twice[first + n + 1], high)
        value = low >> row % 32 | high << 32 - row % 32
        turned.append(value & np.uint32(2 ** min(32, clients - 32 * n) - 1))
    return jnp.stack(turned)


def pack_rows(uplink_delivered: jax.Array, peer_delivered: jax.Array) -> jax.Array:
    """Rows as `null_vector` takes them: uint32 [words, attempts, clients, trials].

    Args:
      uplink_delivered, peer_delivered: as in Links, of many trials, trials first.
    """
    rows = pack_offsets(peer_delivered)
    own = np.eye(len(rows), 1, dtype=np.uint32)[..., None, None]  # offset 0: bit 0 of word 0
    return jnp.where(jnp.moveaxis(uplink_delivered, 0, -1), rows | own, np.uint32(0))
