"""The ring kernel over whole blocks of trials, and the counts that its outcomes add up to."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import pallas as pl

from jaxcogc._types import Array
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.fused.kernel_call import (
    all_coefficients,
    call_kernel,
    counted_trials,
    device_blocks,
    first_block,
    kernel_size,
)
from jaxcogc.outage.fused.kernel_inputs import OfBlocks
from jaxcogc.outage.fused.kernel_words import BlockWords
from jaxcogc.outage.fused.ring_inputs import OfRingRun, RingSize, of_ring_run
from jaxcogc.outage.fused.ring_kernel import decide_around
from jaxcogc.outage.fused.ring_memory import Memory
from jaxcogc.outage.simulation.count_table import (
    empty_blocks,
    empty_table,
    outcome_flags,
    outcome_table,
)
from jaxcogc.outage.simulation.program_inputs import Inputs, Run, Shape

_MOST_BYTES = 2**30
"""Of the words of trials that wait in a GPU's memory."""


def ring_size(shape: Shape) -> RingSize:
    """What the kernel of a program is specialised to; on a CPU it is interpreted."""
    return RingSize(kernel_size(shape), shape.reach)


def blocks_at_once(shape: Shape) -> int:
    """Blocks of one start of the kernel; of blocks that are kept apart a divisor of them all."""
    size = ring_size(shape)
    if not size.plain.on_gpu:
        return 1
    fits = max(1, _MOST_BYTES // (4 * BLOCK_TRIALS * Memory.words(size)))
    if not shape.kept:
        return min(shape.most_blocks, fits)
    return max(n for n in range(1, min(shape.kept, fits) + 1) if shape.kept % n == 0)


def count_around(shape: Shape, axis: str, inputs: Inputs) -> Array:
    """This device's share of the blocks, summed over the devices: as `program.count_blocks`."""
    group = _Group.of(shape, axis, inputs)

    def count_some(number: Array, table: Array) -> Array:
        recovery, counted = group.decide(number)
        return table + jnp.sum(_tables(recovery, counted), axis=0)

    nothing = empty_table(shape.clients)
    table: Array = lax.fori_loop(0, group.number, count_some, nothing)
    total: Array = lax.psum(table, axis)
    return total


def count_around_each(shape: Shape, axis: str, inputs: Inputs) -> tuple[Array, Array]:
    """One table for each block, and what became of each trial of the last one."""
    group = _Group.of(shape, axis, inputs)
    size = group.blocks

    def count_some(number: Array, carried: tuple[Array, Array]) -> tuple[Array, Array]:
        recovery, counted = group.decide(number)
        found = _tables(recovery, counted)
        tables = lax.dynamic_update_slice_in_dim(carried[0], found, number * size, 0)
        last = jnp.minimum(jnp.asarray(inputs.num_blocks) - 1 - number * size, size - 1)
        recovery, counted = jax.tree.map(lambda x: x[last], (recovery, counted))
        return tables, outcome_flags(recovery, counted)

    nothing = empty_blocks(shape.clients, shape.kept)
    tables, flags = lax.fori_loop(0, group.number, count_some, nothing)
    return lax.all_gather(tables, axis, tiled=True), lax.all_gather(flags, axis)


def _tables(recovery: Recovery, counted: Array) -> Array:
    """One table for each block."""
    tables: Array = jax.vmap(partial(outcome_table, in_groups=True))(recovery, counted)
    return tables


class _Group(NamedTuple):
    """Some blocks of a device, decided by one start of the kernel."""

    size: RingSize
    run: OfRingRun
    inputs: Inputs
    first: Array
    blocks: int

    @classmethod
    def of(cls, shape: Shape, axis: str, inputs: Inputs) -> _Group:
        """Groups of this device's blocks."""
        size = ring_size(shape)
        run, first = run_of(size, inputs.run), first_block(inputs, axis)
        return cls(size, run, inputs, first, blocks_at_once(shape))

    @property
    def number(self) -> Array:
        """How many groups there are."""
        return (jnp.asarray(self.inputs.num_blocks) + self.blocks - 1) // self.blocks

    def decide(self, number: Array) -> tuple[Recovery, Array]:
        """What the trials of a group recover, and which of them count: first axis of blocks."""
        blocks = number * self.blocks + jnp.arange(self.blocks, dtype=jnp.int32)
        shared = device_blocks(self.size.plain, self.inputs, self.first, blocks)
        outcomes, counted = ring_outcomes(self.size, shared, self.run), counted_trials(shared)
        # What the kernel leaves out is whatever was there.
        outcomes = jnp.where(counted[:, None], outcomes, np.uint32(0))
        return jax.vmap(partial(recovery_around, self.size))(outcomes), counted


def run_of(size: RingSize, run: Run) -> OfRingRun:
    """What all trials of a run share, for the kernel."""
    coefficients = all_coefficients(size.plain, run)
    return of_ring_run(size, run.law, coefficients, jnp.asarray(run.num_stragglers))


def ring_outcomes(size: RingSize, blocks: OfBlocks, run: OfRingRun) -> Array:
    """Draw and decide the trials of some blocks by the kernel.

    Args:
      size: what the kernel is specialised to.
      blocks: what the trials of each share.
      run: what all trials share.

    Returns:
      uint32 [blocks, words, trials]: the clients, then the events, as `RingOutcome` says; anything
      where no trial of ``size.lanes`` counts.
    """
    number, lanes = len(blocks.words), size.plain.lanes
    parts, words, memory = BLOCK_TRIALS // lanes, size.client_words + 1, Memory.words(size)

    def decide(
        block: BlockWords, run: OfRingRun, trials: Array, outcome_ref: Any, memory_ref: Any
    ) -> None:
        found = decide_around(size, block, run, Memory(memory_ref, size), trials)
        for place, word in enumerate([*found.clients, found.events]):
            outcome_ref[place, :] = word

    outputs = [
        (
            pl.BlockSpec((None, words, lanes), lambda block, part: (block, 0, part)),
            (number, words, BLOCK_TRIALS),
        ),
        (
            pl.BlockSpec((None, None, memory, lanes), lambda block, part: (block, part, 0, 0)),
            (number, parts, memory, lanes),
        ),
    ]
    outcomes, _ = call_kernel("ring_trials", size.plain, decide, blocks, run, outputs)
    return outcomes


def recovery_around(size: RingSize, outcomes: Array) -> Recovery:
    """What outcomes, uint32 [words, trials], say; the number of complete rows is not known: -1."""
    client = np.arange(size.clients)
    bits = outcomes[client // 32] >> (client % 32).astype(np.uint32)[:, None]
    events = outcomes[-1]
    return Recovery(
        gc=events & 1 != 0,
        sum_recovered=events >> 1 & 1 != 0,
        client_recovered=bits & 1 != 0,
        rank=(events >> 2).astype(jnp.int32),
        num_complete_rows=jnp.full(events.shape, -1, jnp.int32),
    )
