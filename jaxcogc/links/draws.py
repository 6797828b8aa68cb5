"""Who heard whom: exact-probability draws of all links of a trial.

A link is erased when its 64-bit uniform number lies below a 64-bit threshold, so the realised
probability is the asked one to 2^-64, and 0 and 1 are exact. The uniform number is two 32-bit
words; the second is looked at only where the first ties with the threshold (once in 2^32 links).

The words of a link depend on (key, trial, attempt, receiver, sender) alone. The sender is counted
from the receiver, ``offset = (sender - receiver) mod clients``; offset 0 is the receiver's uplink.
One Threefry call gives the words of offsets 2 i and 2 i + 1. Per trial, a code whose rows reach up
to offset s needs attempts x clients x (s + 1) words: 160 at (10 clients, s = 7, 2 attempts).
"""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool

from jaxcogc._types import AnyArray, Array, ArrayLike, Key
from jaxcogc.allowed import MAX_ATTEMPTS, MAX_CLIENTS
from jaxcogc.links.network import Network
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import Words, key_words, threefry

_ALL_ONES = np.uint32(0xFFFFFFFF)


class Links(NamedTuple):
    """Which links delivered, in one trial.

    Attributes:
      uplink_delivered: bool [attempts, clients]; the server heard client m.
      peer_delivered: bool [attempts, clients, clients]; client m (first) heard client k (second);
        the diagonal is True.
    """

    uplink_delivered: Bool[AnyArray, "attempts clients"]
    peer_delivered: Bool[AnyArray, "attempts clients clients"]


class LinkThresholds(NamedTuple):
    """Erasure probabilities as 64-bit integers; the diagonal holds the uplinks.

    Attributes:
      high: uint32 [clients, clients], the upper words of floor(p 2^64).
      low: uint32 [clients, clients], the lower words. Both words all ones means p = 1.
    """

    high: AnyArray
    low: AnyArray


def link_thresholds(network: Network) -> LinkThresholds:
    """The thresholds of a network's links.

    Args:
      network: a Network. Host values are float64 and give thresholds exact to 2^-64; inside a
        caller's own 32-bit trace the probabilities are float32 numbers, taken as they are.

    Returns:
      LinkThresholds; NumPy for a network on the host, JAX arrays for a traced one.
    """
    uplink, peer = network.uplink_erasure, network.peer_erasure
    if isinstance(uplink, np.ndarray) and isinstance(peer, np.ndarray):
        return _split_words(np.where(np.eye(len(uplink), dtype=bool), uplink[:, None], peer), np)
    uplink, peer = jnp.asarray(uplink), jnp.asarray(peer)
    return _split_words(jnp.where(jnp.eye(len(uplink), dtype=bool), uplink[:, None], peer), jnp)


def _split_words(erasure: AnyArray, xp: ModuleType) -> LinkThresholds:
    # Exact: scaling by 2^32 and subtracting the floor lose no bits of a binary float.
    certain = erasure >= 1.0
    scaled = xp.where(certain, 0.0, erasure) * 2.0**32
    high = xp.floor(scaled)
    low = xp.floor((scaled - high) * 2.0**32)
    return LinkThresholds(
        *(xp.where(certain, _ALL_ONES, word.astype(xp.uint32)) for word in (high, low))
    )


@under_plain_settings
def draw_links(key: Key, network: Network, num_attempts: int = 1) -> Links:
    """Draw every link of one trial.

    Args:
      key: one typed key.
      network: the erasure probabilities; reciprocal networks have T_mk = T_km.
      num_attempts: attempts, drawn independently.

    Returns:
      Links of one trial. Made for vmap over keys.

    Raises:
      ValueError: too many clients or attempts for the numbering of the words.

    >>> import jax
    >>> from jaxcogc import Network, draw_links
    >>> network = Network.homogeneous(4, uplink_erasure=0.0, peer_erasure=1.0)
    >>> links = draw_links(jax.random.key(0), network, num_attempts=2)
    >>> links.uplink_delivered.shape, bool(links.uplink_delivered.all())
    ((2, 4), True)
    >>> int(links.peer_delivered.sum())  # only every client's own update
    8
    """
    return draw_thresholded_links(
        key, link_thresholds(network), num_attempts, reciprocal=network.reciprocal
    )


def draw_thresholded_links(
    key: Key,
    thresholds: LinkThresholds,
    num_attempts: int,
    *,
    reciprocal: bool,
    trial: ArrayLike = 0,
) -> Links:
    """`draw_links` for thresholds that are inputs of a compiled program, exact in 32-bit mode too.

    Args:
      key: one typed key.
      thresholds: of a network, uint32 [clients, clients] each.
      num_attempts: attempts; the first ones are the same whatever their number.
      reciprocal: T_mk = T_km.
      trial: uint32, a number below 2^31: with the key of a block, the trial's place in the block.
    """
    check_limits(thresholds.high.shape[-1], num_attempts)
    links: Links = _draw(key, thresholds, trial, int(num_attempts), bool(reciprocal))
    return links


@partial(jax.jit, static_argnums=(3, 4))  # one program, where nothing is compiled around it
def _draw(
    key: Key, thresholds: LinkThresholds, trial: ArrayLike, num_attempts: int, reciprocal: bool
) -> Links:
    clients = thresholds.high.shape[-1]
    attempt, receiver, sender = jnp.meshgrid(
        *(jnp.arange(n, dtype=jnp.uint32) for n in (num_attempts, clients, clients)), indexing="ij"
    )
    place = _place(receiver, sender, clients, reciprocal)
    number = jnp.asarray(trial, jnp.uint32)
    first, second = (
        _link_word(key_words(key), number, attempt, place, refinement) for refinement in (0, 1)
    )
    high, low = (jnp.asarray(word)[None] for word in thresholds)
    tie_erased = (second < low) | (low == _ALL_ONES)
    delivered = ~((first < high) | ((first == high) & tie_erased))
    own = jnp.eye(clients, dtype=bool)
    return Links(jnp.diagonal(delivered, axis1=1, axis2=2), delivered | own)


def check_limits(num_clients: int, num_attempts: int) -> None:
    """Refuse sizes that the numbering of the random words has no room for (ValueError)."""
    if not 1 <= num_clients <= MAX_CLIENTS:
        raise ValueError(f"num_clients = {num_clients}: must lie in 1..{MAX_CLIENTS}")
    if isinstance(num_attempts, bool) or not isinstance(num_attempts, (int, np.integer)):
        raise ValueError(f"num_attempts = {num_attempts!r}: must be a whole number")
    if not 1 <= num_attempts <= MAX_ATTEMPTS:
        raise ValueError(f"num_attempts = {num_attempts}: must lie in 1..{MAX_ATTEMPTS}")


class OffsetThresholds(NamedTuple):
    """Thresholds by [offset, receiver], padded to an even number of offsets (padding: erased)."""

    high: Array
    low: Array


class Needed(NamedTuple):
    """Which of some numbers 0 .. n - 1 are needed.

    Attributes:
      numbers: int32 [.., n], a permutation, the needed ones first and in order.
      num_needed: int32 [..], how many are needed.
    """

    numbers: Array
    num_needed: Array


def needed(flags: Array) -> Needed:
    """The numbers whose flags, bool [.., n], are set.

    >>> needed(jnp.array([False, True, False, True]))
    Needed(numbers=Array([1, 3, 0, 2], dtype=int32), num_needed=Array(2, dtype=int32))
    """
    numbers = jnp.argsort(~flags, axis=-1, stable=True).astype(jnp.int32)
    return Needed(numbers, jnp.sum(flags, axis=-1, dtype=jnp.int32))


def by_offset(thresholds: LinkThresholds) -> OffsetThresholds:
    """Reorder thresholds [receiver, sender] into [offset, receiver]."""
    clients = thresholds.high.shape[0]
    receiver = np.arange(clients)
    offset = np.arange(clients + clients % 2)[:, None]
    words = (jnp.asarray(word)[receiver, (receiver + offset) % clients] for word in thresholds)
    padding = jnp.asarray(offset >= clients)
    return OffsetThresholds(*(jnp.where(padding, _ALL_ONES, word) for word in words))


def draw_rows(
    key: Words,
    thresholds: OffsetThresholds,
    trials: Array,
    pairs: Needed,
    num_attempts: int,
    reciprocal: bool,
) -> Array:
    """Draw the links of many trials as bit masks of rows, batch axis last.

    Args:
      key: the two words of the block's key.
      thresholds: by offset.
      trials: uint32 [trials], the numbers of the trials in their block.
      pairs: p of offsets (2 p, 2 p + 1) to draw; 0, with the uplinks, is among them.
      num_attempts: attempts.
      reciprocal: T_mk = T_km.

    Returns:
      uint32 [words, attempts, clients, trials]: bit ``offset % 32`` of word ``offset // 32`` tells
      whether the row of that receiver reached the server *and* holds the sender at that offset.
    """
    clients = thresholds.high.shape[1]
    chex.assert_equal_shape(list(thresholds))
    words = np.arange(-(-clients // 32), dtype=np.uint32)[:, None, None, None]
    attempt = np.arange(num_attempts, dtype=np.uint32)[:, None, None]
    receiver = np.arange(clients, dtype=np.uint32)[:, None]

    def erased(offset: Array, refinement: int) -> tuple[Array, Array]:
        """Erased, and whether the first word ties."""
        sender = (receiver + offset) % np.uint32(clients)
        place = _place(receiver, sender, clients, reciprocal, offset)
        word = _link_word(key, trials, attempt, place, refinement)
        high, low = (x[offset.astype(jnp.int32)][:, None] for x in thresholds)
        if refinement:
            return (word < low) | (low == _ALL_ONES), jnp.zeros((), bool)
        return word < high, word == high

    def draw_pair(number: Array, rows: Array) -> Array:
        even = 2 * pairs.numbers[number].astype(jnp.uint32)
        offsets = (even, even + 1)
        # One array holds both links' bits and their ties: a second output would be computed twice.
        code = jnp.zeros((), jnp.uint32)
        for half, offset in enumerate(offsets):
            is_erased, tie = erased(offset, 0)
            code |= (~is_erased).astype(jnp.uint32) << half | tie.astype(jnp.uint32) << (2 + half)

        def refine(code: Array) -> Array:
            for half, offset in enumerate(offsets):
                tie = code >> (2 + half) & 1
                code &= ~((tie & erased(offset, 1)[0].astype(jnp.uint32)) << half)
            return code

        code = lax.cond(jnp.any(code >= 4), refine, lambda code: code, code)
        return rows | jnp.where(words == even // 32, (code & 3) << even % 32, np.uint32(0))

    shape = (len(words), num_attempts, clients, trials.shape[0])
    rows: Array = lax.fori_loop(0, pairs.num_needed, draw_pair, jnp.zeros(shape, jnp.uint32))
    return jnp.where((rows[0] & 1) != 0, rows, np.uint32(0))


def _place(
    receiver: AnyArray,
    sender: AnyArray,
    clients: int,
    reciprocal: bool,
    offset: Array | None = None,
) -> tuple[AnyArray, AnyArray]:
    """Number of a link among the links of its attempt: (receiver, offset)."""
    if reciprocal:  # both directions of a pair share the words of (lower, upper - lower)
        return jnp.minimum(receiver, sender), jnp.where(
            receiver > sender, receiver - sender, sender - receiver
        )
    if offset is None:
        offset = jnp.where(sender >= receiver, sender - receiver, sender + clients - receiver)
    return receiver, offset


def _link_word(
    key: Words,
    trial: Array,
    attempt: AnyArray,
    place: tuple[AnyArray, AnyArray],
    refinement: int,
) -> Array:
    receiver, offset = place
    position = attempt << 20 | receiver << 10 | offset >> 1
    even, odd = threefry(key, (trial | np.uint32(refinement << 31), position))
    return jnp.where(offset & 1 == 0, even, odd)
