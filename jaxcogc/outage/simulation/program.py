"""The compiled Monte Carlo program: draw the links, decide the recovery, count; block by block."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import PartitionSpec

from jaxcogc.coding.exact.prime_field import random_elements
from jaxcogc.coding.recovery import DecisionRule, prepare_code, recover_rows
from jaxcogc.links.draws import LinkThresholds, by_offset, draw_rows
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.simulation.device_counts import empty_table, outcome_flags, outcome_table
from jaxcogc.runtime.devices import compiler_options, device_mesh
from jaxcogc.runtime.random_words import key_words


class Shape(NamedTuple):
    """All that a compiled program is specialised to.

    `kept` is 0 for a program that adds all its blocks up; else the most blocks a device counts in
    one call of a program that keeps them apart.
    """

    clients: int
    attempts: int
    reciprocal: bool
    rule: DecisionRule
    tile: int
    devices: tuple[Any, ...]
    kept: int = 0


class Inputs(NamedTuple):
    """What a call of the compiled program gets; replicated over the devices."""

    key: Any  # uint32 [2], two words of the run's key
    thresholds: LinkThresholds
    field_matrix: Any  # uint32 [clients, clients] or [attempts, clients, clients]
    num_stragglers: Any
    first_block: Any  # int32
    num_blocks: Any  # int32, of each device
    full_blocks: Any  # int32, blocks of the whole run that count in full
    last_trials: Any  # int32, trials that count in the block after those


def blocks_per_call(shape: Shape) -> int:
    """Blocks a device counts in one call: some 0.1 s of work, and sums that fit in int32.

    A fixed schedule, because every process of a distributed run must follow the same one.
    """
    fits = (2**31 - 1) // (BLOCK_TRIALS * shape.clients * len(shape.devices))
    quick = 2**12 if shape.devices[0].platform != "cpu" else 2**11 // shape.clients**2
    return max(1, min(fits, quick))


@cache
def compiled_program(shape: Shape) -> Any:
    """The program for a shape, compiled once a process.

    ``Inputs`` -> int32 table of counts; with ``kept``: the tables [devices x kept, ...] of single
    blocks, and the flags uint8 [devices, trials] of each device's last block.
    """
    mesh = device_mesh(shape.devices)
    count = _count_each_block if shape.kept else _count_blocks
    program = jax.shard_map(
        lambda inputs: count(shape, mesh.axis_names[0], inputs),
        mesh=mesh,
        in_specs=PartitionSpec(),
        out_specs=PartitionSpec(),
        check_vma=False,
    )
    clients = shape.clients
    matrix = (shape.attempts,) * shape.rule.redrawn + (clients, clients)
    scalar = jax.ShapeDtypeStruct((), jnp.int32)
    words = jax.ShapeDtypeStruct((clients, clients), jnp.uint32)
    inputs = Inputs(
        jax.ShapeDtypeStruct((2,), jnp.uint32),
        LinkThresholds(words, words),  # type: ignore[arg-type]
        jax.ShapeDtypeStruct(matrix, jnp.uint32),
        *(scalar,) * 5,
    )
    options = compiler_options(shape.devices[0].platform)
    return jax.jit(program).lower(inputs).compile(compiler_options=options)


def _count_blocks(shape: Shape, axis: str, inputs: Inputs) -> jax.Array:
    """This device's share of the blocks, summed over the devices."""
    num_tiles, decide_tile = _tiles(shape, axis, inputs)

    def count_tile(index, table):
        return table + outcome_table(*decide_tile(index))

    table = lax.fori_loop(0, num_tiles, count_tile, empty_table(shape.clients))
    return lax.psum(table, axis)


def _count_each_block(shape: Shape, axis: str, inputs: Inputs) -> tuple[jax.Array, jax.Array]:
    """One table for each block, and what became of each trial of the last block."""
    num_tiles, decide_tile = _tiles(shape, axis, inputs)
    tiles = BLOCK_TRIALS // shape.tile

    def count_tile(index, carried):
        tables, flags = carried
        recovery, counted = decide_tile(index)
        tables = tables.at[index // tiles].add(outcome_table(recovery, counted))
        place = index % tiles * shape.tile
        return tables, lax.dynamic_update_slice(flags, outcome_flags(recovery), (place,))

    empty = empty_table(shape.clients)
    nothing = jnp.zeros((shape.kept, *empty.shape), jnp.int32), jnp.zeros(BLOCK_TRIALS, jnp.uint8)
    tables, flags = lax.fori_loop(0, num_tiles, count_tile, nothing)
    return lax.all_gather(tables, axis, tiled=True), lax.all_gather(flags, axis)


def _tiles(shape: Shape, axis: str, inputs: Inputs) -> tuple[jax.Array, Any]:
    """How many tiles this device has to do, and what decides one: recovery, trials that count."""
    clients, attempts = shape.clients, shape.attempts
    coefficients = jnp.broadcast_to(inputs.field_matrix, (attempts, clients, clients))
    code = prepare_code(coefficients, inputs.num_stragglers, shape.rule.modulus)
    thresholds = by_offset(inputs.thresholds)
    first = inputs.first_block + lax.axis_index(axis) * inputs.num_blocks
    tiles = BLOCK_TRIALS // shape.tile

    def decide_tile(index):
        block = first + index // tiles
        key = jax.random.fold_in(jax.random.wrap_key_data(inputs.key, impl="threefry2x32"), block)
        trials = index % tiles * shape.tile + jnp.arange(shape.tile)
        rows = draw_rows(
            key_words(key),
            thresholds,
            trials.astype(jnp.uint32),
            code.gram.pairs,
            attempts,
            shape.reciprocal,
        )
        random = jax.random.bits(jax.random.fold_in(key, 1), (clients, 1), jnp.uint32)
        random = random_elements(random, shape.rule.modulus)
        recovery = recover_rows(
            shape.rule, code, jnp.broadcast_to(random, (clients, shape.tile)), rows
        )
        last = jnp.where(block == inputs.full_blocks, inputs.last_trials, 0)
        return recovery, trials < jnp.where(block < inputs.full_blocks, BLOCK_TRIALS, last)

    return inputs.num_blocks * tiles, decide_tile
