"""The trials of a program, drawn and decided tile by tile, in their own order or the best one.

Trials that walk around the ring may be decided a block at a time: all are drawn, and those that are
cheap from the same turn of the ring share tiles. Which trials share one decides how these walk, so
the order is that of the whole block, and cut into tiles whose size nobody can choose: which trials
are misjudged then depends neither on tiles nor on how many trials count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array, Key
from jaxcogc.coding.exact.decision import (
    PreparedCode,
    Recovery,
    prepare_code,
    rank_bound,
    recover_rows,
)
from jaxcogc.coding.exact.ring.terms import RingTerms
from jaxcogc.coding.exact.ring.turns import MOST_TURNS, best_turns
from jaxcogc.coding.recovery import tile_size
from jaxcogc.links.packed_draws import by_offset
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.simulation.block_words import block_key, tile_rows, trial_vectors
from jaxcogc.outage.simulation.program_inputs import Inputs, Run, Shape, num_counted

_MORE = 16
"""Trials more in a tile of another order, so that rows of it are no power of two apart."""

Carried = TypeVar("Carried")


class DecidedTile(NamedTuple):
    """What became of the trials of a tile.

    Attributes:
      recovery: what they recover, trials last.
      counted: bool [trials], which of them count.
      stratum: int32 [trials], their strata; None without.
      block: int32; which of the device's blocks they are of, from 0, where it counts whole blocks.
      put: puts a number of each counted trial, [trials], where it belongs in a block.
    """

    recovery: Recovery
    counted: Array
    stratum: Array | None
    block: Array
    put: Callable[[Array, Array], Array]


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


def decide_tiles(
    shape: Shape,
    axis: str,
    inputs: Inputs,
    visit: Callable[[DecidedTile, Carried], Carried],
    carried: Carried,
    *,
    apart: bool = False,
) -> Carried:
    """Draw and decide this device's share of the trials of a call.

    Args:
      shape, inputs: of the program and the call.
      axis: of the mesh of devices.
      visit: gets every tile, and what the one before returned.
      carried: what the first one gets.
      apart: devices count whole blocks, as many each; else trials that count are shared evenly.
    """
    run = inputs.run
    chex.assert_shape(run.law.start, (shape.clients, shape.clients))
    chex.assert_type(jax.tree.leaves([run.words, run.law, run.field_matrix]), jnp.uint32)
    code = prepared(shape, run)
    size = BLOCK_TRIALS if shape.in_order else shape.tile
    parts = BLOCK_TRIALS // size
    if apart:
        number = jnp.asarray(inputs.num_blocks) * parts
        first = lax.axis_index(axis) * number
    else:
        first, number = _share_of_parts(size, axis, inputs)
    trials = _Trials(shape, inputs, code)
    decide = trials.block_in_order if shape.in_order else trials.tile

    def visit_part(index: Array, carried: Carried) -> Carried:
        whole = inputs.first_block + (first + index) // parts
        key, counted = block_key(run.words, whole), num_counted(inputs, whole)
        block = _Block(index // parts, key, counted)
        return decide(block, (first + index) % parts, visit, carried)

    found: Carried = lax.fori_loop(0, number, visit_part, carried)
    return found


def _share_of_parts(size: int, axis: str, inputs: Inputs) -> tuple[Array, Array]:
    """This device's of the parts of blocks of a call that hold trials that count."""
    blocks = jnp.asarray(inputs.num_blocks) * lax.axis_size(axis)
    whole = jnp.clip(inputs.full_blocks - inputs.first_block, 0, blocks)
    rest = jnp.where(whole < blocks, num_counted(inputs, inputs.first_block + whole), 0)
    return shared_out(whole * (BLOCK_TRIALS // size) - (-rest // size), axis)


def shared_out(number: Array, axis: str) -> tuple[Array, Array]:
    """The first of this device's tiles, of so many together, and how many they are, int32.

    Evenly: a device that has less to do waits for the others, and XLA ends a process that waits
    for long.
    """
    device, devices = lax.axis_index(axis), lax.axis_size(axis)
    each, more = number // devices, number % devices
    return device * each + jnp.minimum(device, more), each + (device < more)


class _Block(NamedTuple):
    """A block of a call: its number among the device's, its key, and how many trials count."""

    number: Array
    key: Key
    counted: Array


class _Trials:
    """The trials of a call, as its program draws and decides them."""

    def __init__(self, shape: Shape, inputs: Inputs, code: PreparedCode) -> None:
        self._shape, self._inputs, self._code = shape, inputs, code
        self._law = by_offset(inputs.run.law, shape.attempts)

    def tile(
        self,
        block: _Block,
        part: Array,
        visit: Callable[[DecidedTile, Carried], Carried],
        carried: Carried,
    ) -> Carried:
        """Visit a tile of consecutive trials, a part of a block."""
        first = part * self._shape.tile
        places = first + jnp.arange(self._shape.tile)
        rows = self._rows(block.key, places)

        def put(kept: Array, numbers: Array) -> Array:
            return lax.dynamic_update_slice(kept, numbers, (first,))

        recovery, stratum = self._decided(block.key, self._code, rows, places)
        counts = places < block.counted
        return visit(DecidedTile(recovery, counts, stratum, block.number, put), carried)

    def block_in_order(
        self,
        block: _Block,
        _part: Array,
        visit: Callable[[DecidedTile, Carried], Carried],
        carried: Carried,
    ) -> Carried:
        """Visit all trials of a block, if any counts; the block is its own only part."""
        shape, ring = self._shape, self._code.ring
        assert ring is not None
        size = tile_size(shape.clients, shape.attempts, "cpu") + _MORE
        number = -(-BLOCK_TRIALS // size)
        wanted = (block.counted > 0).astype(jnp.int32)
        drawn, order = self._drawn(block.key, ring, wanted)
        order = jnp.pad(jnp.sort(order), (0, number * size - BLOCK_TRIALS), mode="edge")

        def visit_tile(index: Array, carried: Carried) -> Carried:
            mine = lax.dynamic_slice(order, (index * size,), (size,))
            places = mine % BLOCK_TRIALS
            once = index * size + np.arange(size) < BLOCK_TRIALS
            counts = once & (places < block.counted)
            turn = mine[size // 2] // BLOCK_TRIALS
            turn = jnp.where(turn < MOST_TURNS, turn, 0)

            def put(kept: Array, numbers: Array) -> Array:
                beyond = jnp.where(counts, places, BLOCK_TRIALS)
                return kept.at[beyond].set(numbers, mode="drop")

            rows = drawn.at[places].get(mode="promise_in_bounds").T
            rows = rows.reshape(-1, 1, shape.clients, size)
            rows = jnp.pad(rows, ((0, len(self._code.support) - len(rows)), *[(0, 0)] * 3))
            code = self._code._replace(ring=ring._replace(turn=turn))
            recovery, stratum = self._decided(block.key, code, rows, places)
            return visit(DecidedTile(recovery, counts, stratum, block.number, put), carried)

        found: Carried = lax.fori_loop(0, wanted * number, visit_tile, carried)
        return found

    def _drawn(self, key: Key, ring: RingTerms, wanted: Array) -> tuple[Array, Array]:
        """Rows of the trials of a block, uint32 [trials, words x clients], and their order.

        The order is that of the numbers, int32 [trials]: by `best_turns`, then by trial. Nothing is
        drawn where ``wanted`` is 0.
        """
        clients, tile = self._shape.clients, self._shape.tile
        assert isinstance(ring.reach, int)
        assert isinstance(ring.cut, int)
        words, cut = ring.reach // 32 + 1, ring.cut

        def draw(index: Array, drawn: tuple[Array, Array]) -> tuple[Array, Array]:
            rows, order = drawn
            places = index * tile + jnp.arange(tile, dtype=jnp.int32)
            found = self._rows(key, places)[:words, 0]
            best = best_turns(found[0] & 1, cut) * np.int32(BLOCK_TRIALS) + places
            # A trial's rows side by side: they are read in another order.
            rows = lax.dynamic_update_slice(
                rows, found.reshape(words * clients, tile).T, (index * tile, 0)
            )
            return rows, lax.dynamic_update_slice(order, best, (index * tile,))

        nothing = jnp.zeros((BLOCK_TRIALS, words * clients), jnp.uint32)
        order = jnp.zeros(BLOCK_TRIALS, jnp.int32)
        number = wanted * (BLOCK_TRIALS // tile)
        drawn: tuple[Array, Array] = lax.fori_loop(0, number, draw, (nothing, order))
        return drawn

    def _rows(self, key: Key, places: Array) -> Array:
        """The links of trials of a block, as `tile_rows` says."""
        shape, pairs = self._shape, self._code.gram.pairs
        trials = places.astype(jnp.uint32)
        return tile_rows(
            key, self._law, trials, pairs, num_attempts=shape.attempts, kind=shape.links
        )

    def _decided(
        self, key: Key, code: PreparedCode, rows: Array, places: Array
    ) -> tuple[Recovery, Array | None]:
        """What the trials recover, and their strata, int32 [trials]."""
        rule, clients = self._shape.rule, self._shape.clients
        random = trial_vectors(key, clients, places.astype(jnp.uint32), rule.modulus)
        recovery = recover_rows(rule, code, random, rows)
        stratum_of = self._inputs.run.stratum_of
        if stratum_of is None:
            return recovery, None
        enough = recovery.num_complete_rows >= clients - code.num_stragglers
        bound = rank_bound(code, rows)
        return recovery, jnp.asarray(stratum_of)[bound, enough.astype(jnp.int32)]
