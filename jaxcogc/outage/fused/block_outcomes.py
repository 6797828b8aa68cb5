"""The fused kernel over whole blocks of trials, and the counts that its outcomes add up to."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from jaxcogc._types import Array
from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.fused.kernel_inputs import KernelSize, OfBlocks, OfRun, of_blocks, of_run
from jaxcogc.outage.fused.kernel_words import read_block
from jaxcogc.outage.fused.trial_kernel import decide_trials
from jaxcogc.outage.simulation.count_table import (
    empty_blocks,
    outcome_flags,
    outcome_table,
    table_of_outcomes,
)
from jaxcogc.outage.simulation.program_inputs import (
    BLOCKS_AT_ONCE,
    Inputs,
    Run,
    Shape,
    num_counted,
)

_LANES = 32
"""Trials of one instance of the kernel on a GPU: a warp."""
_COPIES = 16
"""Of the counts of outcomes, so that few threads add to the same place at once."""


def kernel_size(shape: Shape) -> KernelSize:
    """What the kernel of a program is specialised to; on a CPU it is interpreted."""
    on_gpu = shape.devices[0].platform != "cpu"
    return KernelSize(
        shape.clients,
        shape.attempts,
        shape.links,
        shape.rule.modulus,
        shape.rule.counted,
        _LANES if on_gpu else BLOCK_TRIALS,
        on_gpu,
    )


def count_fused(shape: Shape, axis: str, inputs: Inputs) -> Array:
    """This device's share of the blocks, summed over the devices: as `program.count_blocks`."""
    size = kernel_size(shape)
    at_once = min(shape.most_blocks, BLOCKS_AT_ONCE if size.on_gpu else 1)
    run = of_all(size, inputs.run)
    first = jnp.asarray(inputs.first_block) + lax.axis_index(axis) * inputs.num_blocks
    bins = number_of_outcomes(size)
    copy = np.arange(at_once * BLOCK_TRIALS, dtype=np.int32) // _LANES % _COPIES * (bins + 1)

    def count_some(group: Array, counted: Array) -> Array:
        blocks = group * at_once + jnp.arange(at_once, dtype=jnp.int32)
        outcomes, limit = _outcomes_of(size, run, inputs, first, blocks)
        counts = jnp.arange(BLOCK_TRIALS, dtype=jnp.int32) < limit[:, None]
        place = jnp.where(counts, outcomes.astype(jnp.int32), bins)  # the last bin counts nothing
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
    first = jnp.asarray(inputs.first_block) + lax.axis_index(axis) * inputs.num_blocks
    blocks = jnp.arange(shape.kept, dtype=jnp.int32)
    outcomes, limit = _outcomes_of(size, run, inputs, first, blocks)

    def count_block(block: Array, carried: tuple[Array, Array]) -> tuple[Array, Array]:
        recovery = recovery_of(size, outcomes[block])
        counted = jnp.arange(BLOCK_TRIALS, dtype=jnp.int32) < limit[block]
        tables = carried[0].at[block].set(outcome_table(recovery, counted))
        return tables, outcome_flags(recovery, counted)

    nothing = empty_blocks(size.clients, shape.kept)
    tables, flags = lax.fori_loop(0, inputs.num_blocks, count_block, nothing)
    return lax.all_gather(tables, axis, tiled=True), lax.all_gather(flags, axis)


def of_all(size: KernelSize, run: Run) -> OfRun:
    """What all trials of a run share, for the kernel."""
    full = (size.attempts, size.clients, size.clients)
    coefficients = jnp.broadcast_to(jnp.asarray(run.field_matrix), full)
    return of_run(size, run.law, coefficients, jnp.asarray(run.num_stragglers))


def _outcomes_of(
    size: KernelSize, run: OfRun, inputs: Inputs, first: Array, blocks: Array
) -> tuple[Array, Array]:
    """Outcomes, uint32 [blocks, trials], of this device's blocks, and how many trials count."""
    numbers = first + blocks
    limit = jnp.where(blocks < inputs.num_blocks, num_counted(inputs, numbers), 0)
    words = jnp.asarray(inputs.run.words)
    of_all_blocks = of_blocks(size, words, numbers, limit)
    return fused_outcomes(size, of_all_blocks, run), limit


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
    number, width = blocks.words.shape
    shared, structure = jax.tree.flatten(run)  # without what the kind of links has no use for

    def whole(x: Array) -> pl.BlockSpec:
        return pl.BlockSpec(x.shape, lambda *_: (0,) * x.ndim)

    outcomes: Array = pl.pallas_call(
        partial(_kernel, size, structure),
        grid=(number, BLOCK_TRIALS // size.lanes),
        in_specs=[
            pl.BlockSpec((None, width), lambda block, part: (block, 0)),
            pl.BlockSpec((1,), lambda block, part: (block,)),
            *map(whole, shared),
        ],
        out_specs=pl.BlockSpec((None, size.lanes), lambda block, part: (block, part)),
        out_shape=jax.ShapeDtypeStruct((number, BLOCK_TRIALS), jnp.uint32),
        compiler_params=triton.CompilerParams(num_warps=1, num_stages=1),
        interpret=not size.on_gpu,
        name="fused_trials",
    )(*blocks, *shared)
    return outcomes


def _kernel(size: KernelSize, structure: Any, words_ref: Any, limit_ref: Any, *refs: Any) -> None:
    *run_refs, outcome_ref = refs
    first = pl.program_id(1) * size.lanes  # interpret mode knows it out here only

    @pl.when(first < limit_ref[0])
    def _() -> None:
        trials = first + lax.broadcasted_iota(jnp.int32, (size.lanes,), 0)
        block = read_block(size, lambda n: words_ref[n])
        run = jax.tree.unflatten(structure, run_refs)
        found = decide_trials(size, block, run, trials.astype(jnp.uint32))
        outcome_ref[:] = found


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
