"""The fused kernel over whole blocks of trials, and the counts that its outcomes add up to."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import pallas as pl

from jaxcogc._types import Array
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.fused.kernel_call import (
    LANES,
    all_coefficients,
    call_kernel,
    counted_trials,
    device_blocks,
    first_block,
    kernel_size,
)
from jaxcogc.outage.fused.kernel_inputs import KernelSize, OfBlocks, OfRun, of_run
from jaxcogc.outage.fused.kernel_words import BlockWords
from jaxcogc.outage.fused.trial_kernel import decide_trials
from jaxcogc.outage.simulation.count_table import (
    empty_blocks,
    outcome_flags,
    outcome_table,
    table_of_outcomes,
)
from jaxcogc.outage.simulation.program_inputs import BLOCKS_AT_ONCE, Inputs, Run, Shape

_COPIES = 16
"""Of the counts of outcomes, so that few threads add to the same place at once."""


def count_fused(shape: Shape, axis: str, inputs: Inputs) -> Array:
    """This device's share of the blocks, summed over the devices: as `program.count_blocks`."""
    size = kernel_size(shape)
    at_once = min(shape.most_blocks, BLOCKS_AT_ONCE if size.on_gpu else 1)
    run = of_all(size, inputs.run)
    first = first_block(inputs, axis)
    bins = number_of_outcomes(size)
    copy = np.arange(at_once * BLOCK_TRIALS, dtype=np.int32) // LANES % _COPIES * (bins + 1)

    def count_some(group: Array, counted: Array) -> Array:
        blocks = group * at_once + jnp.arange(at_once, dtype=jnp.int32)
        shared = device_blocks(size, inputs, first, blocks)
        outcomes = fused_outcomes(size, shared, run).astype(jnp.int32)
        place = jnp.where(counted_trials(shared), outcomes, bins)  # the last bin counts nothing
        return counted.at[place.reshape(-1) + copy].add(1)

    groups = (inputs.num_blocks + at_once - 1) // at_once
    counted = lax.fori_loop(0, groups, count_some, jnp.zeros(_COPIES * (bins + 1), jnp.int32))
    number = counted.reshape(_COPIES, -1).sum(axis=0, dtype=jnp.int32)[:bins]
    # The barrier keeps the compiler from computing all outcomes' properties by itself.
    every = lax.optimization_barrier(jnp.arange(bins, dtype=jnp.uint32))
    table = table_of_outcomes(recovery_of(size, every), number)
    total: Array = lax.psum(table, axis)
    return total


def count_fused_each(shape: Shape, axis: str, inputs: Inputs) -> tuple[Array, Array]:
    """One table for each block, and what became of each trial of the last one."""
    size = kernel_size(shape)
    run = of_all(size, inputs.run)
    first = first_block(inputs, axis)
    shared = device_blocks(size, inputs, first, jnp.arange(shape.kept, dtype=jnp.int32))
    outcomes, counts = fused_outcomes(size, shared, run), counted_trials(shared)

    def count_block(block: Array, carried: tuple[Array, Array]) -> tuple[Array, Array]:
        recovery = recovery_of(size, outcomes[block])
        tables = carried[0].at[block].set(outcome_table(recovery, counts[block]))
        return tables, outcome_flags(recovery, counts[block])

    nothing = empty_blocks(size.clients, shape.kept)
    tables, flags = lax.fori_loop(0, inputs.num_blocks, count_block, nothing)
    return lax.all_gather(tables, axis, tiled=True), lax.all_gather(flags, axis)


def of_all(size: KernelSize, run: Run) -> OfRun:
    """What all trials of a run share, for the kernel."""
    coefficients = all_coefficients(size, run)
    return of_run(size, run.law, coefficients, jnp.asarray(run.num_stragglers))


def fused_outcomes(size: KernelSize, blocks: OfBlocks, run: OfRun) -> Array:
    """Draw and decide the trials of some blocks by the kernel.

    Args:
      size: what the kernel is specialised to.
      blocks: what the trials of each share.
      run: what all trials share.

    Returns:
      uint32 [blocks, trials], as `decide_trials` says; anything where no trial of ``size.lanes``
      counts.
    """

    def decide(block: BlockWords, run: OfRun, trials: Array, outcome_ref: Any) -> None:
        outcome_ref[:] = decide_trials(size, block, run, trials)

    spec = pl.BlockSpec((None, size.lanes), lambda block, part: (block, part))
    outputs = [(spec, (len(blocks.words), BLOCK_TRIALS))]
    (outcomes,) = call_kernel("fused_trials", size, decide, blocks, run, outputs)
    return outcomes


def number_of_outcomes(size: KernelSize) -> int:
    """Outcomes are numbers below this one."""
    return (size.clients + 1) << (size.clients + 2)


def recovery_of(size: KernelSize, outcomes: Array) -> Recovery:
    """What outcomes, uint32 [trials], say; without the number of complete rows, which is -1."""
    clients = jnp.arange(size.clients, dtype=jnp.uint32)[:, None]
    after = outcomes >> np.uint32(size.clients)
    return Recovery(
        gc=after & 1 != 0,
        sum_recovered=after >> 1 & 1 != 0,
        client_recovered=outcomes >> clients & 1 != 0,
        rank=(after >> 2).astype(jnp.int32),
        num_complete_rows=jnp.full(outcomes.shape, -1, jnp.int32),
    )
