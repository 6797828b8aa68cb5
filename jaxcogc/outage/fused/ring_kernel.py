"""What one instance of the ring kernel does: a few dozen trials of up to 64 clients, one a thread.

A row of a ring code reaches few clients onwards, so a pivot of the Gram matrix touches a short
*window* of columns behind it, and the *border*: the last columns, which rows of the last receivers
connect with the first ones. Only window and border are in registers. Rows, columns and Gram entries
of the trial wait in memory until the window comes to them, and eliminated rows until the way back.
"""

from __future__ import annotations

from functools import partial, reduce
from operator import and_, or_
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from jaxcogc._types import Array
from jaxcogc.links.draws import below
from jaxcogc.links.thresholds import ALL_ONES, LinkThresholds
from jaxcogc.outage.fused.kernel_inputs import CHUNK
from jaxcogc.outage.fused.kernel_words import (
    SECOND_WORDS,
    BlockWords,
    TwoWords,
    free_elements,
    two_words,
)
from jaxcogc.outage.fused.machine_blocks import U32, apply, arrival_block
from jaxcogc.outage.fused.ring_elimination import Zeros, zeros_around
from jaxcogc.outage.fused.ring_inputs import OfRingRun, RingSize
from jaxcogc.outage.fused.ring_memory import Index, Memory, around


class RingOutcome(NamedTuple):
    """What became of some trials, uint32 [lanes] each.

    Attributes:
      clients: words with a bit for each client whose update is recovered.
      events: bit 0 where standard decoding has the exact average, bit 1 where the row space has,
        above them the rank.
    """

    clients: list[Array]
    events: Array


def decide_around(
    size: RingSize, block: BlockWords, run: OfRingRun, memory: Memory, trials: Array
) -> RingOutcome:
    """Draw and decide some trials of a block.

    Args:
      size: what the kernel is specialised to.
      block: of the trials.
      run: what all trials share; references that the kernel reads from.
      memory: of the trials.
      trials: uint32 [lanes], their numbers in the block.
    """
    zero = jnp.zeros_like(trials)

    def spread(scalar: Array) -> Array:
        return zero + scalar

    words_of = two_words(block.link_keys.links, size.plain.on_gpu, spread)
    _draw_rows(size, words_of, run, memory, trials)
    elements = partial(free_elements, size.field, block, trials, spread)

    def decided(stack: Index) -> Zeros:
        _sum_pairs(size, run, memory, stack, zero)
        return zeros_around(size, memory, elements, zero)

    if size.plain.counted:
        found = decided(0)
        gc = memory.read(memory.complete).astype(jnp.int32) >= run.least[0]
    else:  # the complete rows alone first; a loop, so that the code is there once
        nothing = Zeros([zero] * size.client_words, zero, zero, zero)

        def next_stack(stack: Array, before: Zeros) -> Zeros:
            return decided(stack)._replace(before=before.total)

        found = lax.fori_loop(0, 2, next_stack, nothing)
        gc = found.before != 0
    events = jnp.where(gc, U32(1), U32(0)) | found.total << U32(1) | found.rank << U32(2)
    return RingOutcome(found.clients, events)


def _draw_rows(
    size: RingSize, words_of: TwoWords, run: OfRingRun, memory: Memory, trials: Array
) -> None:
    """Write the words of all rows into memory, and how many clients' rows are complete."""
    attempts = U32((1 << size.attempts) - 1)
    every_offset = U32(size.every_offset)

    def draw(client: Array, num_complete: Array) -> Array:
        row = partial(_draw_row, size, words_of, run, client, trials)
        word, nearest = row(exact=False)
        # Where a first word ties with its threshold, once in 2^32 links, second words decide.
        word = lax.cond(jnp.max(nearest) == ALL_ONES, lambda: row(exact=True)[0], lambda: word)
        arrived = word & (word & attempts) * every_offset
        lacking = arrived | ~run.support[client]
        shifted = (lacking >> U32(o * size.attempts) for o in range(size.reach + 1))
        complete = reduce(and_, shifted) & arrived & attempts
        if not size.plain.counted:
            memory.write(memory.row(client, 0), arrived & complete * every_offset)
        memory.write(memory.row(client, 0 if size.plain.counted else 1), arrived)
        counted: Array = num_complete + (complete != 0).astype(jnp.uint32)
        return counted

    memory.write(memory.complete, lax.fori_loop(0, size.clients, draw, jnp.zeros_like(trials)))


def _draw_row(
    size: RingSize,
    words_of: TwoWords,
    run: OfRingRun,
    client: Array,
    trials: Array,
    *,
    exact: bool,
) -> tuple[Array, Array]:
    """Which links of a receiver delivered, at offset 0 its uplinks; and the largest word less its
    threshold less one: all ones is a tie."""
    zero = jnp.zeros_like(trials)

    def draw_pair(step: Array, carried: tuple[Array, Array]) -> tuple[Array, Array]:
        word, nearest = carried
        pair = size.offset_pairs - 1 - step
        found = [zero, zero]
        for attempt in reversed(range(size.attempts)):
            place = (client << 10 | pair).astype(jnp.uint32) | U32(attempt << 20)
            first = words_of(trials, zero + place)
            second = words_of(trials | SECOND_WORDS, zero + place) if exact else first
            for half in range(2):
                room = run.room[2 * pair + half, client]
                if exact:
                    limits = LinkThresholds(~room, run.low[2 * pair + half, client])
                    erased = below([first[half], second[half]].__getitem__, limits)
                    found[half] = found[half] + found[half] + (~erased).astype(jnp.uint32)
                else:
                    operands = first[half], zero + room, found[half]
                    found[half], near = apply(arrival_block(), size.plain.on_gpu, *operands)
                    nearest = jnp.maximum(nearest, near)
        word = (word << U32(size.attempts) | found[1]) << U32(size.attempts) | found[0]
        return word, nearest

    drawn: tuple[Array, Array] = lax.fori_loop(0, size.offset_pairs, draw_pair, (zero, zero))
    return drawn


def _sum_pairs(size: RingSize, run: OfRingRun, memory: Memory, stack: Index, zero: Array) -> None:
    """Write the words of all columns, then the sums of all pairs of clients, into memory."""
    of_offset = [((1 << size.attempts) - 1) << o * size.attempts for o in range(size.reach + 1)]

    def turn(client: Array, carried: Array) -> Array:
        held = (
            memory.read(memory.row(around(size, client - o), stack)) & U32(mask)
            for o, mask in enumerate(of_offset)
        )
        memory.write(memory.column(client), reduce(or_, held))
        return carried

    def sum_up(client: Array, carried: Array) -> Array:
        own = memory.read(memory.column(client))
        table = client * size.tables
        for distance in range(size.reach + 1):
            both = own
            if distance:
                other = memory.read(memory.column(around(size, client + distance)))
                both = own & other >> U32(distance * size.attempts)
            choices = (
                both >> U32(CHUNK * n) & U32(2**CHUNK - 1) for n in range(size.chunks(distance))
            )
            parts = [run.tables[table + n, choice] for n, choice in enumerate(choices)]
            memory.write(memory.pair(client, distance), size.field.total(parts))
            table = table + len(parts)
        return carried

    lax.fori_loop(0, size.clients, turn, zero)
    lax.fori_loop(0, size.clients, sum_up, zero)
