"""Drawing the links of many trials as bit masks of rows: the words of `draws`, tile by tile."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array
from jaxcogc.links.draws import (
    Streams,
    below,
    client_uniforms,
    link_place,
    link_word,
)
from jaxcogc.links.thresholds import ALL_ONES, LinkKind, LinkLaw, LinkThresholds
from jaxcogc.runtime.folds import fold

_UPLINK = np.uint32(1)


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


class OffsetLaw(NamedTuple):
    """A law with its links in the order in which rows are drawn.

    Attributes:
      levels: of each stream of words, the thresholds it is compared with; [offset, attempts (or 1),
        receiver], padded to an even number of offsets (padding: erased). First the links: of
        independent ones the erasures; of links that remember "bad" and "bad or kept". Then soft
        states: erased when good, erased when bad.
      blocked: [clients].
    """

    levels: tuple[tuple[LinkThresholds, ...], ...]
    blocked: LinkThresholds | None


def by_offset(law: LinkLaw, num_attempts: int) -> OffsetLaw:
    """Reorder a law's thresholds [receiver, sender]."""
    start = _by_offset(law.start)
    levels: list[tuple[LinkThresholds, ...]] = [(start,)]
    if law.step is not None:
        first = np.arange(num_attempts)[:, None] == 0
        steps = (_by_offset(step) for step in law.step)
        levels = [
            tuple(
                LinkThresholds(*(jnp.where(first, x, y) for x, y in zip(start, step, strict=True)))
                for step in steps
            )
        ]
    if law.states is not None:
        levels.append(tuple(_everywhere(state, law.num_clients) for state in law.states))
    return OffsetLaw(tuple(levels), law.blocked)


def _by_offset(limits: LinkThresholds) -> LinkThresholds:
    clients = limits.high.shape[0]
    receiver = np.arange(clients)
    offset = np.arange(clients + clients % 2)[:, None]
    words = (jnp.asarray(word)[receiver, (receiver + offset) % clients] for word in limits)
    padding = jnp.asarray(offset >= clients)
    return LinkThresholds(*(jnp.where(padding, ALL_ONES, word)[:, None] for word in words))


def _everywhere(limit: LinkThresholds, clients: int) -> LinkThresholds:
    """One threshold for all links."""
    one = jnp.ones((clients, clients), jnp.uint32)
    return _by_offset(LinkThresholds(*(word * one for word in limit)))


def draw_rows(
    words: Streams,
    law: OffsetLaw,
    trials: Array,
    pairs: Needed,
    num_attempts: int,
    kind: LinkKind,
) -> Array:
    """Draw the links of many trials as bit masks of rows, batch axis last.

    Args:
      words: of the block.
      law: by offset.
      trials: uint32 [trials], the numbers of the trials in their block.
      pairs: p of offsets (2 p, 2 p + 1) to draw; 0, with the uplinks, is among them.
      num_attempts: attempts.
      kind: of the law.

    Returns:
      uint32 [words, attempts, clients, trials]: bit ``offset % 32`` of word ``offset // 32`` tells
      whether the row of that receiver reached the server *and* holds the sender at that offset.
    """
    return blank_erased(draw_offsets(words, law, trials, pairs, num_attempts, kind))


def blank_erased(offsets: Array) -> Array:
    """Rows from links by offset, both as `draw_rows` says: zero where the uplink is erased."""
    return jnp.where((offsets[0] & _UPLINK) != 0, offsets, np.uint32(0))


def draw_offsets(
    words: Streams,
    law: OffsetLaw,
    trials: Array,
    pairs: Needed,
    num_attempts: int,
    kind: LinkKind,
) -> Array:
    """As `draw_rows`, of each link alone: whether it delivered; at offset 0 the uplink."""
    clients = law.levels[0][0].high.shape[-1]
    chex.assert_equal_shape(list(law.levels[0][0]))
    compare = _comparison(words, law, trials, num_attempts, kind)
    size = -(-clients // 32)

    def draw_pair(number: Array, planes: list[Array]) -> list[Array]:
        even = 2 * pairs.numbers[number].astype(jnp.uint32)
        code = compare(even)
        return [
            plane | _at_bits(even, code >> 4 * level & 3, size)
            for level, plane in enumerate(planes)
        ]

    nothing = jnp.zeros((size, num_attempts, clients, len(trials)), jnp.uint32)
    empty = [nothing] * sum(map(len, law.levels))
    rows = _delivered(lax.fori_loop(0, pairs.num_needed, draw_pair, empty), kind)
    if law.blocked is not None:
        rows &= ~_blocked_senders(words, law.blocked, trials, pairs)[:, None]
    return rows


def _at_bits(even: Array, code: Array, size: int) -> Array:
    """Two bits, uint32 [..], at an even offset and the next in rows of ``size`` words."""
    words = np.arange(size, dtype=np.uint32).reshape(size, *(1,) * code.ndim)
    return jnp.where(words == even // 32, code << even % 32, np.uint32(0))


def _blocked_senders(words: Streams, limits: LinkThresholds, trials: Array, pairs: Needed) -> Array:
    """Senders that are blocked, as bit masks of rows, uint32 [words, clients, trials]."""
    clients = len(limits.high)
    for_all_trials = LinkThresholds(*(jnp.asarray(word)[:, None] for word in limits))
    uniforms = client_uniforms(words, trials, clients)
    blocked = below(uniforms, for_all_trials).astype(jnp.uint32)
    receiver = np.arange(clients, dtype=np.uint32)
    size = -(-clients // 32)

    def look(number: Array, rows: Array) -> Array:
        even = 2 * pairs.numbers[number].astype(jnp.uint32)
        one, other = (blocked[(receiver + even + half) % clients] for half in (0, 1))
        return rows | _at_bits(even, one | other << 1, size)

    nothing = jnp.zeros((size, clients, len(trials)), jnp.uint32)
    rows: Array = lax.fori_loop(0, pairs.num_needed, look, nothing)
    return rows


def _comparison(
    words: Streams, law: OffsetLaw, trials: Array, num_attempts: int, kind: LinkKind
) -> Callable[[Array], Array]:
    """Of an even offset and the next: whether their uniform numbers lie below the levels.

    The function returns uint32 [attempts, clients, trials]: bits 4 l and 4 l + 1 are set where the
    number of the even, or the odd offset is not below level l.
    """
    clients = law.levels[0][0].high.shape[-1]
    attempt = np.arange(num_attempts, dtype=np.uint32)[:, None, None]
    receiver = np.arange(clients, dtype=np.uint32)[:, None]
    levels = [
        (stream, limits)
        for stream, several in zip((words.links, words.erasures), law.levels, strict=False)
        for limits in several
    ]
    ties = np.uint32(sum(12 << 4 * level for level in range(len(levels))))

    def word_and_limit(level: int, offset: Array, refinement: int) -> tuple[Array, LinkThresholds]:
        stream, limits = levels[level]
        sender = (receiver + offset) % np.uint32(clients)
        place = link_place(receiver, sender, clients, kind.reciprocal, offset)
        word = link_word(stream, trials, attempt, place, refinement)
        return word, LinkThresholds(*(x[offset.astype(jnp.int32)][..., None] for x in limits))

    def compare(even: Array) -> Array:
        # One array holds all bits and ties: a second output would be computed twice.
        code = jnp.zeros((), jnp.uint32)
        for level in range(len(levels)):
            for half in range(2):
                word, limit = word_and_limit(level, even + half, 0)
                code |= (word >= limit.high).astype(jnp.uint32) << (4 * level + half)
                code |= (word == limit.high).astype(jnp.uint32) << (4 * level + half + 2)

        def refine(code: Array) -> Array:
            for level in range(len(levels)):
                for half in range(2):
                    word, limit = word_and_limit(level, even + half, 1)
                    is_below = (word < limit.low) | (limit.low == ALL_ONES)
                    tie = code >> (4 * level + half + 2) & 1
                    code &= ~((tie & is_below.astype(jnp.uint32)) << (4 * level + half))
            return code

        tied = fold(jnp.bitwise_or, code.reshape(-1, len(trials))) & ties
        decided: Array = lax.cond(jnp.any(tied != 0), refine, lambda code: code, code)
        return decided

    return compare


def _delivered(planes: list[Array], kind: LinkKind) -> Array:
    """Bit masks of the links that delivered, from the levels that their numbers reached."""
    rows = planes[0]
    if kind.remembers:
        rows = ~_bad_states(planes[0], planes[1])
    if kind.soft:
        rows = planes[2] & (rows | planes[3])
    if kind.keeps and rows.shape[1] > 1:
        uplinks = (np.arange(rows.shape[0]) == 0)[:, None, None, None] * _UPLINK
        kept = lax.associative_scan(jnp.bitwise_or, rows & ~uplinks, axis=1)
        rows = kept | rows & uplinks
    return rows


def _bad_states(not_bad: Array, not_kept: Array) -> Array:
    """The bad states of chains as bits, [words, attempts, clients, trials]; attempts in turn."""

    def move(state: Array, reached: list[Array]) -> tuple[Array, Array]:
        state = ~reached[0] | (~reached[1] & state)
        return state, state

    in_turn = [jnp.moveaxis(plane, 1, 0) for plane in (not_bad, not_kept)]
    attempts = not_bad.shape[1]
    _, states = lax.scan(move, ~in_turn[0][0], in_turn, unroll=min(attempts, 8))
    return jnp.moveaxis(states, 0, 1)
