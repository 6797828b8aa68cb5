"""The compiled Monte Carlo program: draw the links, decide the recovery, count; block by block."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

from jaxcogc._types import Array
from jaxcogc.coding.exact.bit_rows import pack_rows
from jaxcogc.coding.exact.decision import (
    Recovery,
    recover_rows,
)
from jaxcogc.links.draws import Links
from jaxcogc.links.thresholds import blank_law
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.simulation.block_words import block_key, trial_links, trial_vectors
from jaxcogc.outage.simulation.count_table import (
    add_by_stratum,
    empty_blocks,
    empty_table,
    outcome_flags,
    outcome_table,
)
from jaxcogc.outage.simulation.decided_tiles import DecidedTile, decide_tiles, prepared
from jaxcogc.outage.simulation.program_inputs import Inputs, Run, Shape
from jaxcogc.runtime.devices import device_mesh
from jaxcogc.runtime.program_cache import lowered

Program = Callable[[Inputs], Any]
"""A compiled program: tables of counts, as `compiled_program` says."""


@cache
def compiled_program(shape: Shape) -> jax.stages.Compiled:
    """The program for a shape, compiled once a process.

    ``Inputs`` -> int32 table of counts; with ``kept``: the tables [devices x kept, ...] of single
    blocks, and the flags uint8 [devices, trials] of each device's last block.
    """
    return lowered_program(shape).compile(compiler_options=shape.compiler_options)


def lowered_program(shape: Shape) -> jax.stages.Lowered:
    """What `compiled_program` compiles; the devices may be described ones."""
    mesh = device_mesh(shape.devices)
    count = _count_each_block if shape.kept else count_blocks
    program = jax.shard_map(
        partial(count, shape, mesh.axis_names[0]),
        mesh=mesh,
        in_specs=PartitionSpec(),
        out_specs=PartitionSpec(),
        check_vma=False,
    )
    inputs = blank_inputs(shape)
    with jax.enable_x64(False):  # one program for both modes: compiled once, kept once on disk
        if shape.devices[0].platform == "cpu" and jax.process_count() == 1:
            return lowered(f"simulation {shape}", program, mesh, inputs)
        return jax.jit(program).lower(inputs)


def blank_inputs(shape: Shape) -> Inputs:
    """Inputs of the right shapes and types, and of no meaning."""
    matrix = np.zeros((shape.clients, shape.clients), np.uint32)
    coefficients = np.stack([matrix] * shape.attempts) if shape.rule.redrawn else matrix
    number = np.int32(0)
    run = Run(np.zeros(2, np.uint32), blank_law(shape.clients, shape.links), coefficients, number)
    if shape.rule.kernel == "float64":
        run = run._replace(reals=np.zeros((*coefficients.shape, 2), np.uint32))
    if shape.strata:
        run = run._replace(stratum_of=np.zeros((shape.attempts * shape.clients + 1, 2), np.int32))
    return Inputs(run, number, number, number, number)


def count_blocks(shape: Shape, axis: str, inputs: Inputs) -> Array:
    """This device's share of the blocks, summed over the devices."""
    if shape.rule.kernel == "fused":  # imported where it is used: Pallas takes a second to load
        from jaxcogc.outage.fused import block_outcomes, ring_blocks

        fused = ring_blocks.count_around if shape.reach else block_outcomes.count_fused
        return fused(shape, axis, inputs)

    def count_tile(tile: DecidedTile, table: Array) -> Array:
        if tile.stratum is not None:
            return add_by_stratum(table, tile.recovery, tile.counted, tile.stratum)
        return table + outcome_table(tile.recovery, tile.counted)

    nothing = empty_table(shape.clients, shape.strata)
    table: Array = decide_tiles(shape, axis, inputs, count_tile, nothing)
    total: Array = lax.psum(table, axis)
    return total


def _count_each_block(shape: Shape, axis: str, inputs: Inputs) -> tuple[Array, Array]:
    """One table for each block, and what became of each trial of the last block."""
    if shape.rule.kernel == "fused":
        from jaxcogc.outage.fused import block_outcomes, ring_blocks

        each = ring_blocks.count_around_each if shape.reach else block_outcomes.count_fused_each
        return each(shape, axis, inputs)

    def count_tile(tile: DecidedTile, carried: tuple[Array, Array]) -> tuple[Array, Array]:
        tables, flags = carried
        table = outcome_table(tile.recovery, tile.counted)
        tables = tables.at[tile.block].add(table)
        return tables, tile.put(flags, outcome_flags(tile.recovery, tile.counted))

    nothing = empty_blocks(shape.clients, shape.kept)
    tables, flags = decide_tiles(shape, axis, inputs, count_tile, nothing, apart=True)
    return lax.all_gather(tables, axis, tiled=True), lax.all_gather(flags, axis)


class RebuiltTrial(NamedTuple):
    """One trial of a run again: its links, and what they let the server recover."""

    links: Links
    recovery: Recovery


def rebuild_trial(shape: Shape, run: Run, trial: int) -> RebuiltTrial:
    """The trial that the program of a shape draws and decides, by itself.

    Args:
      shape: as the program's; tile and devices do not matter.
      run: as the program's.
      trial: the trial's number, from 0, in the fixed order of the run's blocks.

    Returns:
      RebuiltTrial of NumPy arrays.
    """
    block, place = divmod(trial, BLOCK_TRIALS)
    found = _rebuild(shape, run, np.int32(block), np.uint32(place))
    trial_again: RebuiltTrial = jax.tree.map(np.asarray, found)
    return trial_again


@partial(jax.jit, static_argnums=0)
def _rebuild(shape: Shape, run: Run, block: Array, place: Array) -> RebuiltTrial:
    key = block_key(run.words, block)
    links = trial_links(key, run.law, place, num_attempts=shape.attempts, kind=shape.links)
    recovery = recover_rows(
        shape.rule,
        prepared(shape, run),
        trial_vectors(key, shape.clients, place[None], shape.rule.modulus),
        pack_rows(links.uplink_delivered[None], links.peer_delivered[None]),
    )
    return RebuiltTrial(links, jax.tree.map(lambda leaf: leaf[..., 0], recovery))
