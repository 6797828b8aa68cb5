"""Drawing the links of a few dozen trials in the fused kernel: a word of rows for each offset.

The words are those of `links.packed_draws`, compared with the same thresholds. A threshold is a
level; of each level the bits of all rows stand in one word, so that what follows from the levels
of a link, and what follows along the attempts, is said for all rows at once: an earlier attempt of
the same receiver is the next higher place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from jaxcogc._types import Array
from jaxcogc.links.draws import below
from jaxcogc.links.thresholds import ALL_ONES, LinkThresholds
from jaxcogc.outage.fused.kernel_inputs import KernelSize, OfRun
from jaxcogc.outage.fused.kernel_words import (
    SECOND_WORDS,
    LinkKeys,
    Spread,
    TwoWords,
    two_words,
)
from jaxcogc.outage.fused.machine_blocks import U32, apply, arrival_block


class _Limit(NamedTuple):
    """A threshold, scalars that are read: the complement of its upper word, and the lower word
    where it is asked for."""

    room: Array
    low: Array | None


class _Draw(NamedTuple):
    """How links are drawn.

    Attributes:
      size: what the kernel is specialised to.
      run: what all trials share; references.
      trials: uint32 [lanes], their numbers in the block.
      spread: a scalar over the lanes.
      exact: second words decide where first ones tie with a threshold.
    """

    size: KernelSize
    run: OfRun
    trials: Array
    spread: Spread
    exact: bool

    def words(self, words_of: TwoWords, position: Array) -> list[tuple[Array, Array]]:
        """At a position of all trials, of an even offset and the next: first, then second words."""
        place = self.spread(position)
        numbers = [self.trials, self.trials | SECOND_WORDS][: 2 if self.exact else 1]
        return [words_of(number, place) for number in numbers]

    def limit(self, room: Any, low: Any, *place: Any) -> _Limit:
        """Read a threshold."""
        return _Limit(room[place], low[place] if self.exact else None)

    def limits(self, stream: int, attempt: int, offset: int, client: Array) -> Iterator[_Limit]:
        """What the words of a stream are compared with, level by level."""
        run = self.run
        if stream == 0:
            attempt = min(attempt, run.room.shape[1] - 1)  # independent attempts are alike
            for level in range(self.size.levels[0]):
                yield self.limit(run.room, run.low, level, attempt, offset, client)
        else:
            for level in range(2):
                yield self.limit(run.state_room, run.state_low, level)

    def shift_in(
        self, words: Sequence[Array], limit: _Limit, found: Array, nearest: Array
    ) -> tuple[Array, Array]:
        """Double the bits found so far, and add one where a uniform number is not below a limit.

        Args:
          words: of the number, the first alone or both.
          limit: the threshold.
          found: uint32 [lanes].
          nearest: uint32 [lanes], the largest so far of a first word less its threshold less one:
            all ones tell that one ties with its threshold.

        Returns:
          ``found`` and ``nearest`` with this number.
        """
        if limit.low is None:
            operands = words[0], self.spread(limit.room), found
            found, near = apply(arrival_block(), self.size.on_gpu, *operands)
            return found, jnp.maximum(nearest, near)
        erased = below(words.__getitem__, LinkThresholds(~limit.room, limit.low))
        return found + found + (~erased).astype(jnp.uint32), nearest


def arrived(
    size: KernelSize, keys: LinkKeys, run: OfRun, trials: Array, spread: Spread
) -> list[Array]:
    """By offset, the rows whose link there delivered; at offset 0 their uplinks.

    Args:
      size: what the kernel is specialised to.
      keys: of the block.
      run: what all trials share; references that the kernel reads from.
      trials: uint32 [lanes], their numbers in the block.
      spread: a scalar over the lanes.
    """
    streams = [two_words(key, size.on_gpu, spread) for key in keys if key is not None]
    draw = _Draw(size, run, trials, spread, exact=False)
    words, nearest = _draw(draw, streams)
    # Where a first word ties with a threshold, once in 2^32 words, all are drawn with the second.
    found: list[Array] = lax.cond(
        jnp.max(nearest) == ALL_ONES,
        lambda: _draw(draw._replace(exact=True), streams)[0],
        lambda: words,
    )
    return found


def _draw(draw: _Draw, streams: list[TwoWords]) -> tuple[list[Array], Array]:
    """As `arrived`, and the nearest that a first word came to its threshold."""
    size, kind = draw.size, draw.size.links
    of_links = streams[: len(size.levels)]
    nearest = jnp.zeros_like(draw.trials)
    found: list[Array] = []
    for pair in range(-(-size.clients // 2)):
        halves, nearest = _draw_pair(draw, of_links, pair, nearest)
        found += [_delivered(size, levels) for levels in halves]
    if kind.keeps:
        found = [found[0], *(_kept(size, rows) for rows in found[1:])]
    if kind.reciprocal:
        found = _at_both_ends(size, found)
    if kind.blocks:
        free, nearest = _free_clients(draw, streams[-1], nearest)
        found = [rows & _of_senders(size, free, offset) for offset, rows in enumerate(found)]
    return found, nearest


def _draw_pair(
    draw: _Draw, streams: list[TwoWords], pair: int, nearest: Array
) -> tuple[list[list[Array]], Array]:
    """Of an even offset and the next, level by level, the rows whose numbers are not below it."""
    size = draw.size
    offsets = range(2 * pair, min(2 * pair + 2, size.clients))

    def receiver(
        client: Array, carried: tuple[list[list[Array]], Array]
    ) -> tuple[list[list[Array]], Array]:
        halves, nearest = [list(levels) for levels in carried[0]], carried[1]
        for attempt in range(size.attempts):
            position = U32(attempt << 20 | pair) + (client.astype(jnp.uint32) << U32(10))
            level = 0
            for stream, words_of in enumerate(streams):
                words = draw.words(words_of, position)
                for half, offset in enumerate(offsets):
                    of_link = [both[half] for both in words]
                    limits = draw.limits(stream, attempt, offset, client)
                    for place, limit in enumerate(limits, level):
                        bits = halves[half][place]
                        halves[half][place], nearest = draw.shift_in(of_link, limit, bits, nearest)
                level += size.levels[stream]
        return halves, nearest

    # The words of reciprocal links are those of the lower client, who has another so far behind it.
    receivers = size.clients - (2 * pair if size.links.reciprocal else 0)
    zero = jnp.zeros_like(draw.trials)
    start = [[zero] * sum(size.levels) for _ in offsets], nearest
    halves, nearest = lax.fori_loop(0, draw.run.needed[pair] * receivers, receiver, start)
    if receivers < size.clients:
        missing = U32((size.clients - receivers) * size.attempts)
        halves = [[bits << missing for bits in levels] for levels in halves]
    return halves, nearest


def _delivered(size: KernelSize, levels: list[Array]) -> Array:
    """The rows whose links delivered, from the levels that their numbers reached."""
    good = levels[0]
    if size.links.remembers:
        for _ in range(size.attempts - 1):  # each time one attempt further; the first has one level
            good = levels[0] & (levels[1] | good >> U32(1))
    if size.links.soft:
        return levels[2] & (good | levels[3])
    return good


def _kept(size: KernelSize, rows: Array) -> Array:
    """Rows with what they had in an earlier attempt."""
    places = [size.place(m, a) for m in range(size.clients) for a in range(1, size.attempts)]
    later = U32(sum(1 << place for place in places))
    for _ in range(size.attempts - 1):
        rows = rows | rows >> U32(1) & later
    return rows


def _at_both_ends(size: KernelSize, found: list[Array]) -> list[Array]:
    """Reciprocal links by receiver, from those by the lower client of a pair."""
    both = found[:1]
    for offset in range(1, size.clients):
        behind = offset * size.attempts, (size.clients - offset) * size.attempts
        lower = U32(2**size.rows - 2 ** behind[0])  # receivers with a client so far behind them
        both.append(found[offset] & lower | found[size.clients - offset] >> U32(behind[1]))
    return both


def _free_clients(draw: _Draw, words_of: TwoWords, nearest: Array) -> tuple[Array, Array]:
    """The rows of clients that are not blocked, those of all attempts alike; and ``nearest``."""

    def look(client: Array, carried: tuple[Array, Array]) -> tuple[Array, Array]:
        free, nearest = carried
        words = draw.words(words_of, client.astype(jnp.uint32) << U32(10))
        limit = draw.limit(draw.run.blocked_room, draw.run.blocked_low, client)
        for _ in range(draw.size.attempts):
            free, nearest = draw.shift_in([both[0] for both in words], limit, free, nearest)
        return free, nearest

    start = jnp.zeros_like(draw.trials), nearest
    found: tuple[Array, Array] = lax.fori_loop(0, draw.size.clients, look, start)
    return found


def _of_senders(size: KernelSize, rows: Array, offset: int) -> Array:
    """The bits of the clients so many places on, at the rows of their receivers; and idle bits."""
    if offset == 0:
        return rows
    places = offset * size.attempts
    return rows << U32(places) | rows >> U32(size.rows - places)
