"""Rows as bit masks: which clients of the ring a received row holds, by offset from its own.

Booleans arrive one a byte, trials first; the kernels want bits, trials last. So four bytes become
four bits by one product, sixteen bits are gathered, and only then are the few words turned round.
"""

from __future__ import annotations

from functools import reduce

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import lax

from jaxcogc._types import AnyArray, Array, HostInts
from jaxcogc.runtime.compute_once import Once, as_xla_likes


def pack_offsets(held: AnyArray, attempts: int, clients: int, once: Once = as_xla_likes) -> Array:
    """Bit masks of rows, by offset.

    Args:
      held: bool [trials, attempts x clients x clients]; flat, as slices of trials then are single
        pieces of memory.
      attempts, clients: sizes.
      once: from `in_branches`.

    Returns:
      uint32 [words, attempts, clients, trials]; bit ``offset % 32`` of word ``offset // 32``
      belongs to the client ``offset`` places after the row's own on the ring.
    """
    halves = once(_sixteen_bits, once(_four_bits, jnp.asarray(held)))
    return once(lambda words: _by_offset(words, attempts, clients), once(_join, halves))


def _four_bits(held: Array) -> Array:
    """uint8 [trials, n], from four booleans each; upper bits hold anything."""
    four = jnp.pad(held, ((0, 0), (0, -held.shape[1] % 4))).reshape(len(held), -1, 4)
    fours = lax.bitcast_convert_type(four.astype(jnp.uint8), jnp.uint32)
    # The product brings bit 0 of byte i to bit 24 + i; no two of its terms meet there.
    return (fours * np.uint32(0x01020408) >> 24).astype(jnp.uint8)


def _sixteen_bits(nibbles: Array) -> Array:
    """uint32 [n, trials], an even number n, with sixteen bits each."""
    four = jnp.pad(nibbles, ((0, 0), (0, -nibbles.shape[1] % 8))).reshape(len(nibbles), -1, 4)
    word = lax.bitcast_convert_type(four, jnp.uint32) & np.uint32(0x0F0F0F0F)
    word = (word | word >> 4) & np.uint32(0x00FF00FF)
    return ((word | word >> 8) & np.uint32(0xFFFF)).T


def _join(halves: Array) -> Array:
    low, high = halves[0::2], halves[1::2]
    return low | high << 16


def _by_offset(words: Array, attempts: int, clients: int) -> Array:
    """Cut the rows out of words in which they follow each other, and turn each until its own client
    comes first: the clients behind it, then those before it."""
    nothing = jnp.zeros_like(words[:1])
    words = jnp.concatenate([nothing, words, nothing, nothing])
    number = np.arange(-(-clients // 32))[:, None, None]  # of the word of the result
    attempt, client = np.arange(attempts)[:, None], np.arange(clients)
    first = (attempt * clients + client) * clients + client + 32 * number

    def bits_from(place: HostInts) -> Array:
        """The 32 bits from a place on."""
        word, shift = (place >> 5) + 1, (place & 31).astype(np.uint32)[..., None]
        following = words[np.minimum(word + 1, len(words) - 1)]
        return words[word] >> shift | following << 1 << (31 - shift)

    def lowest(count: HostInts) -> npt.NDArray[np.uint32]:
        """A mask of so many bits."""
        masks = 2 ** np.clip(count, 0, 32).astype(np.uint64) - np.uint64(1)
        return masks.astype(np.uint32)[..., None]

    behind = lowest(clients - client - 32 * number)
    all_clients = lowest(clients - 32 * number)
    return bits_from(first) & behind | bits_from(first - clients) & (all_clients & ~behind)


def pack_rows(
    uplink_delivered: AnyArray, peer_delivered: AnyArray, once: Once = as_xla_likes
) -> Array:
    """Rows as `null_vector` takes them: uint32 [words, attempts, clients, trials].

    Args:
      uplink_delivered: bool [trials, attempts, clients].
      peer_delivered: bool [trials, attempts, clients, clients], or the same flat behind the trials.
      once: from `in_branches`.
    """
    trials, attempts, clients = uplink_delivered.shape
    rows = pack_offsets(peer_delivered.reshape(trials, -1), attempts, clients, once)
    own = np.eye(len(rows), 1, dtype=np.uint32)[..., None, None]  # offset 0: bit 0 of word 0

    def blank(rows: Array, uplinks: Array) -> Array:
        return jnp.where(jnp.moveaxis(uplinks, 0, -1), rows | own, np.uint32(0))

    return once(blank, rows, jnp.asarray(uplink_delivered))


def offsets_from_links(uplink_delivered: Array, peer_delivered: Array) -> Array:
    """Links as bits by offset, at offset 0 the uplink; trials last.

    Args:
      uplink_delivered: bool [attempts, clients, trials].
      peer_delivered: bool [attempts, clients, clients, trials].

    Returns:
      uint32 [words, attempts, clients, trials].
    """
    attempts, clients, trials = uplink_delivered.shape
    twice = jnp.concatenate([peer_delivered, peer_delivered], axis=2)
    flat = twice.reshape(attempts, -1, trials)
    # In rows one longer than they are, the client at an offset stands in the column of that number.
    flat = jnp.pad(flat, ((0, 0), (0, clients), (0, 0)))
    turned = flat.reshape(attempts, clients, -1, trials)
    bits = turned[:, :, :clients].at[:, :, 0].set(uplink_delivered)
    words = [bits[:, :, start : start + 32] for start in range(0, clients, 32)]
    return jnp.stack([_joined(word) for word in words])


def _joined(bits: Array) -> Array:
    terms = [bits[:, :, n].astype(jnp.uint32) << n for n in range(bits.shape[2])]
    return reduce(jnp.bitwise_or, terms)


def links_from_offsets(offsets: Array) -> tuple[Array, Array]:
    """The reverse of `offsets_from_links`; a client hears itself."""
    _, attempts, clients, trials = offsets.shape
    bits = [offsets[n // 32] >> n % 32 & 1 != 0 for n in range(clients)]
    peers = jnp.stack([jnp.ones_like(bits[0]), *bits[1:]], axis=2)
    flat = jnp.concatenate([peers, peers], axis=2).reshape(attempts, -1, trials)[:, clients:]
    turned = flat.reshape(attempts, clients, 2 * clients - 1, trials)
    return bits[0], turned[:, :, :clients]
