"""The compiled Monte Carlo program: draw the links, decide the recovery, count; block by block."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

from jaxcogc._types import Array
from jaxcogc.coding.exact.bit_rows import pack_rows
from jaxcogc.coding.exact.decision import (
    PreparedCode,
    Recovery,
    prepare_code,
    rank_bound,
    recover_rows,
)
from jaxcogc.links.draws import Links
from jaxcogc.links.packed_draws import by_offset
from jaxcogc.links.thresholds import blank_law
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.simulation.block_words import block_key, tile_rows, trial_links, trial_vectors
from jaxcogc.outage.simulation.count_table import (
    add_by_stratum,
    empty_blocks,
    empty_table,
    outcome_flags,
    outcome_table,
)
from jaxcogc.outage.simulation.program_inputs import Inputs, Run, Shape, num_counted
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
    decide = _tiles(shape, inputs)
    first, number = _share_of_tiles(shape, axis, inputs)

    def count_tile(index: Array, table: Array) -> Array:
        found = decide(first + index)
        if found.stratum is not None:
            return add_by_stratum(table, found.recovery, found.counted, found.stratum)
        return table + outcome_table(found.recovery, found.counted)

    nothing = empty_table(shape.clients, shape.strata)
    table: Array = lax.fori_loop(0, number, count_tile, nothing)
    total: Array = lax.psum(table, axis)
    return total


def _count_each_block(shape: Shape, axis: str, inputs: Inputs) -> tuple[Array, Array]:
    """One table for each block, and what became of each trial of the last block."""
    if shape.rule.kernel == "fused":
        from jaxcogc.outage.fused import block_outcomes, ring_blocks

        each = ring_blocks.count_around_each if shape.reach else block_outcomes.count_fused_each
        return each(shape, axis, inputs)
    decide = _tiles(shape, inputs)
    tiles_per_block = BLOCK_TRIALS // shape.tile
    number = jnp.asarray(inputs.num_blocks) * tiles_per_block
    first = lax.axis_index(axis) * number

    def count_tile(index: Array, carried: tuple[Array, Array]) -> tuple[Array, Array]:
        tables, flags = carried
        found = decide(first + index)
        table = outcome_table(found.recovery, found.counted)
        tables = tables.at[index // tiles_per_block].add(table)
        place = index % tiles_per_block * shape.tile
        return tables, lax.dynamic_update_slice(
            flags, outcome_flags(found.recovery, found.counted), (place,)
        )

    nothing = empty_blocks(shape.clients, shape.kept)
    tables, flags = lax.fori_loop(0, number, count_tile, nothing)
    return lax.all_gather(tables, axis, tiled=True), lax.all_gather(flags, axis)


def prepared(shape: Shape, run: Run) -> PreparedCode:
    """The code of a run as the decision wants it."""
    size = (shape.attempts, shape.clients, shape.clients)
    reals = None if run.reals is None else jnp.broadcast_to(jnp.asarray(run.reals), (*size, 2))
    coefficients = jnp.broadcast_to(jnp.asarray(run.field_matrix), size)
    return prepare_code(
        coefficients,
        run.num_stragglers,
        shape.rule.modulus,
        reals=reals,
        reach=shape.reach if shape.rule.kernel == "xla" and shape.reach else None,
    )


class _DecidedTile(NamedTuple):
    """What became of the trials of a tile.

    Attributes:
      recovery: what they recover, trials last.
      counted: bool [trials], which of them count.
      stratum: int32 [trials], their strata; None without.
    """

    recovery: Recovery
    counted: Array
    stratum: Array | None


def _share_of_tiles(shape: Shape, axis: str, inputs: Inputs) -> tuple[Array, Array]:
    """This device's of the tiles of a call that hold trials that count, as `shared_out` says."""
    blocks = jnp.asarray(inputs.num_blocks) * lax.axis_size(axis)
    whole = jnp.clip(inputs.full_blocks - inputs.first_block, 0, blocks)
    rest = jnp.where(whole < blocks, num_counted(inputs, inputs.first_block + whole), 0)
    return shared_out(whole * (BLOCK_TRIALS // shape.tile) - (-rest // shape.tile), axis)


def shared_out(number: Array, axis: str) -> tuple[Array, Array]:
    """The first of this device's tiles, of so many together, and how many they are, int32.

    Evenly: a device that has less to do waits for the others, and XLA ends a process that waits
    for long.
    """
    device, devices = lax.axis_index(axis), lax.axis_size(axis)
    each, more = number // devices, number % devices
    return device * each + jnp.minimum(device, more), each + (device < more)


def _tiles(shape: Shape, inputs: Inputs) -> Callable[[Array], _DecidedTile]:
    """What decides a tile, given its number among those of all blocks of the call."""
    run = inputs.run
    chex.assert_shape(run.law.start, (shape.clients, shape.clients))
    chex.assert_type(jax.tree.leaves([run.words, run.law, run.field_matrix]), jnp.uint32)
    code = prepared(shape, run)
    law = by_offset(run.law, shape.attempts)
    tiles = BLOCK_TRIALS // shape.tile

    def decide(index: Array) -> _DecidedTile:
        block = inputs.first_block + index // tiles
        key = block_key(run.words, block)
        places = index % tiles * shape.tile + jnp.arange(shape.tile)
        trials = places.astype(jnp.uint32)
        rows = tile_rows(
            key, law, trials, code.gram.pairs, num_attempts=shape.attempts, kind=shape.links
        )
        random = trial_vectors(key, shape.clients, trials, shape.rule.modulus)
        recovery = recover_rows(shape.rule, code, random, rows)
        counted = places < num_counted(inputs, block)
        stratum = None
        if run.stratum_of is not None:
            enough = recovery.num_complete_rows >= shape.clients - code.num_stragglers
            bound = rank_bound(code, rows)
            stratum = jnp.asarray(run.stratum_of)[bound, enough.astype(jnp.int32)]
        return _DecidedTile(recovery, counted, stratum)

    return decide


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
