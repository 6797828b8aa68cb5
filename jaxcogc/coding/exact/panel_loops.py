"""Null vectors over GF(q) by loops over panels of columns: compilation hardly grows with clients.

The elimination of `null_vector`, where every panel is compiled for itself, with one body for all of
them, so that vectors are equal bit for bit. The Gram matrices are cut into square blocks of one
panel's columns; those above the diagonal are kept. Which blocks meet the code tells when the
program runs: rows that hold few clients couple few panels, and the others are passed over.

With few clients panels are narrow, so that little is compiled, and `null_vector` runs up to a half
faster; with many it does so only where few panels meet, as its code and its data overflow the
nearest caches of a CPU.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import AnyArray, Array
from jaxcogc.coding.exact.gram import GramTerms, gram_matrices
from jaxcogc.coding.exact.null_vector import LARGEST_PANEL
from jaxcogc.coding.exact.panels import (
    eliminate,
    fill_in,
    follow,
    panel_width,
    scaled_factors,
    solve,
)
from jaxcogc.coding.exact.prime_field import add, multiply, one, sum_of_products
from jaxcogc.links.packed_draws import Needed, needed
from jaxcogc.runtime.compute_once import Once, in_branches, zeros_like_mesh
from jaxcogc.runtime.folds import fold

FEW_CLIENTS = 16
"""Up to which panels are narrow, so that little is compiled."""
MOST_UNROLLED = 32
"""Clients up to which `null_vector` runs faster on a CPU, for every code."""
_NARROW_PANEL = 2

_at = partial(lax.dynamic_index_in_dim, keepdims=False, allow_negative_indices=False)
_put = partial(lax.dynamic_update_index_in_dim, axis=0, allow_negative_indices=False)


class Coupling(NamedTuple):
    """Which panels meet in a code's elimination, each list in order.

    Attributes:
      later: numbers int32 [panels, panels]: those that rows of a panel can hold, itself first.
      earlier: numbers int32 [panels, panels, panels]: of a panel and a later one, the panels before
        whose rows can hold both; of a panel and itself, all whose rows can hold it.
    """

    later: Needed
    earlier: Needed


def coupling(coefficients: Array) -> Coupling:
    """Prepare a code, [attempts, clients, clients], for `looped_null_vector`."""
    clients = coefficients.shape[-1]
    width, panels = _sizes(clients)
    held = jnp.any(coefficients != 0, axis=0)
    together = jnp.any(held[:, :, None] & held[:, None], axis=0)
    together = jnp.pad(together, (0, panels * width - clients))
    blocks = jnp.any(together.reshape(panels, width, panels, width), axis=(1, 3))
    coupled = fill_in(blocks | np.eye(panels, dtype=bool))
    place = np.arange(panels)
    both = coupled[:, None] & coupled & (place < place[:, None, None])
    return Coupling(needed(coupled & (place >= place[:, None])), needed(both))


class _Steps(NamedTuple):
    """What the loops share: sizes, and the way to keep results."""

    once: Once
    modulus: int
    blocks: AnyArray  # int32 [panels, panels]: the number of the block of two panels

    def times(self, a: Array, b: Array) -> Array:
        return multiply(a, b, self.modulus)


class _State(NamedTuple):
    """Of elimination. The triangle's blocks in rows, [row of a panel, column of a later one]."""

    blocks: Array  # uint32 [blocks, width, width, trials]; on the diagonal rows start at theirs
    factors: Array  # uint32 [panels, 1 + width, trials]: of `Panel`, behind its last column
    weights: Array  # uint32 [panels, width, width, trials]: of earlier rows in the panel at hand
    scales: Array  # uint32 [1 + panels, trials]: products of all factors, then of those behind each


def looped_null_vector(
    rows: Array, code: GramTerms, meet: Coupling, random: Array, modulus: int
) -> tuple[Array, Array]:
    """A random null vector of every trial's received matrix.

    Args:
      rows, code, random, modulus: as in `null_vector.null_vector`.
      meet: from `coupling`.

    Returns:
      As `null_vector.null_vector`.
    """
    clients, trials = random.shape
    width, panels = _sizes(clients)
    once = in_branches(random[0, 0] <= np.uint32(modulus))
    numbers = np.zeros((panels, panels), np.int32)
    triangle = np.triu_indices(panels)
    numbers[triangle] = np.arange(len(triangle[0]))
    steps = _Steps(once, modulus, jnp.asarray(numbers))
    zeros = partial(zeros_like_mesh, rows, dtype=jnp.uint32)
    gram = gram_matrices(once, rows, code, modulus)
    state = _State(
        once(partial(_in_blocks, width, panels), gram),
        zeros((panels, 1 + width, trials)),
        zeros((panels, width, width, trials)),
        zeros((1 + panels, trials)) + one(modulus),
    )
    # Panels are numbered by a list: what is sliced by a loop's own counter a GPU's host would copy.
    own = meet.later.numbers[:, 0]

    def eliminate_next(step: Array, state: _State) -> _State:
        return _eliminate(steps, meet, own[step], state)

    state = lax.fori_loop(0, panels, eliminate_next, state)
    padding = panels * width - clients
    values = jnp.pad(random, ((0, padding), (0, 0))).reshape(panels, width, trials)

    def back(step: Array, found: tuple[Array, Array]) -> tuple[Array, Array]:
        return _solve(steps, meet, state, values, own[panels - 1 - step], *found)

    rank = zeros_like_mesh(rows, (trials,), jnp.int32)
    solved, rank = lax.fori_loop(0, panels, back, (zeros(values.shape), rank))
    return solved.reshape(-1, trials)[:clients], rank


def _sizes(clients: int) -> tuple[int, int]:
    """Width and number of panels."""
    width = panel_width(clients, _NARROW_PANEL if clients <= FEW_CLIENTS else LARGEST_PANEL)
    return width, -(-clients // width)


def _in_blocks(width: int, panels: int, gram: Array) -> Array:
    """Blocks, uint32 [blocks, width, width, trials], from the Gram matrices' diagonals around the
    ring: [d, j] is W(j, j + d). Columns beyond the last client's are zero."""
    diagonals, clients, trials = gram.shape
    rows, columns = np.triu_indices(panels)
    place = np.arange(width)
    row = rows[:, None, None] * width + place[:, None] + 0 * place
    column = columns[:, None, None] * width + place + 0 * place[:, None]
    ahead = (column - row) % clients
    near = ahead < diagonals
    diagonal = np.where(near, ahead, clients - ahead)
    there = (np.maximum(row, column) < clients) & (diagonal < diagonals)
    start = np.where(near, row, column)
    source = np.where(there, diagonal * clients + start, 0).reshape(-1)
    entries = gram.reshape(-1, trials)[source]
    kept = jnp.where(there.reshape(-1, 1), entries, np.uint32(0))
    return kept.reshape(len(rows), width, width, trials)


def _eliminate(steps: _Steps, meet: Coupling, number: Array, state: _State) -> _State:
    """Eliminate the columns of a panel in all its blocks."""
    once, modulus = steps.once, steps.modulus
    width = state.blocks.shape[1]
    state = state._replace(weights=_weigh(steps, meet, number, state))
    diagonal = steps.blocks[number, number]
    block = _updated(steps, meet, number, number, state.blocks, state)
    panel = eliminate(once, block, modulus)
    own = once(lambda rows: jnp.stack([_filled(row, width) for row in rows]), panel.rows)

    def add_block(step: Array, blocks: Array) -> Array:
        other = meet.later.numbers[number, step]
        block = _updated(steps, meet, number, other, blocks, state)
        followed = once(lambda rows: jnp.stack(rows), follow(once, panel, block, modulus))
        put: Array = _put(blocks, followed, steps.blocks[number, other])
        return put

    def rescale(scales: Array, factors: Array) -> Array:
        place = np.arange(len(scales))[:, None]
        scaled = jnp.where(place <= number, steps.times(scales, factors[0]), scales)
        return jnp.where(place == number + 1, one(modulus), scaled)

    blocks = _put(state.blocks, own, diagonal)
    factors = panel.factors[-1]
    return state._replace(
        blocks=lax.fori_loop(1, meet.later.num_needed[number], add_block, blocks),
        factors=_put(state.factors, factors, number),
        scales=once(rescale, state.scales, factors),
    )


def _filled(row: Array, width: int) -> Array:
    return jnp.pad(row, ((0, width - len(row)), (0, 0)))


def _weigh(steps: _Steps, meet: Coupling, number: Array, state: _State) -> Array:
    """By how much the rows of earlier panels count in each row of this one."""

    scaled = partial(scaled_factors, modulus=steps.modulus)

    def weigh(factors: Array, block: Array) -> Array:
        return steps.times(factors[:, None], block)

    def add_panel(step: Array, weights: Array) -> Array:
        earlier = meet.earlier.numbers[number, number, step]
        scale = _at(state.scales, 1 + earlier)
        factors = steps.once(scaled, _at(state.factors, earlier), scale)
        block = _at(state.blocks, steps.blocks[earlier, number])
        put: Array = _put(weights, steps.once(weigh, factors, block), earlier)
        return put

    filled: Array = lax.fori_loop(
        0, meet.earlier.num_needed[number, number], add_panel, state.weights
    )
    return filled


def _updated(
    steps: _Steps, meet: Coupling, number: Array, other: Array, blocks: Array, state: _State
) -> Array:
    """A block of the Gram matrices, all earlier panels eliminated."""
    modulus = steps.modulus
    count = meet.earlier.num_needed[number, other]

    def products(weights: Array, rows: Array) -> list[tuple[Array, Array]]:
        return [(weight[:, None], row[None]) for weight, row in zip(weights, rows, strict=True)]

    def first(block: Array, scale: Array, weights: Array, rows: Array) -> Array:
        return sum_of_products([(scale, block), *products(weights, rows)], modulus)

    def more(block: Array, weights: Array, rows: Array) -> Array:
        return add(block, sum_of_products(products(weights, rows), modulus), modulus)

    def source(blocks: Array, weights: Array, step: Array) -> tuple[Array, Array]:
        earlier = meet.earlier.numbers[number, other, step]
        return _at(weights, earlier), _at(blocks, steps.blocks[earlier, other])

    def with_earlier(block: Array, scale: Array, blocks: Array, weights: Array) -> Array:
        def add_panel(step: Array, block: Array) -> Array:
            return steps.once(more, block, *source(blocks, weights, step))

        block = steps.once(first, block, scale, *source(blocks, weights, jnp.int32(0)))
        found: Array = lax.fori_loop(1, count, add_panel, block)
        return found

    def alone(block: Array, scale: Array, blocks: Array, weights: Array) -> Array:
        return steps.once(steps.times, block, scale)

    own = _at(blocks, steps.blocks[number, other])
    updated: Array = lax.cond(
        count > 0, with_earlier, alone, own, state.scales[0], blocks, state.weights
    )
    return updated


def _solve(
    steps: _Steps,
    meet: Coupling,
    state: _State,
    values: Array,
    number: Array,
    solved: Array,
    rank: Array,
) -> tuple[Array, Array]:
    """The null vector at a panel's columns, of all later ones solved, and its share of the rank."""
    once, modulus = steps.once, steps.modulus
    width = values.shape[1]

    def add_all(known: Array, block: Array, solved: Array) -> Array:
        pairs = ((block[:, column], solved[column]) for column in range(width))
        return add(known, sum_of_products(pairs, modulus), modulus)

    def add_panel(step: Array, known: Array) -> Array:
        other = meet.later.numbers[number, step]
        block = _at(state.blocks, steps.blocks[number, other])
        return once(add_all, known, block, _at(solved, other))

    nothing = jnp.zeros_like(solved[0])
    known = lax.fori_loop(1, meet.later.num_needed[number], add_panel, nothing)
    own, factors = _at(state.blocks, steps.blocks[number, number]), _at(state.factors, number)
    found = solve(once, own, factors, _at(values, number), known, modulus)
    scaled = once(lambda solved, factors: steps.times(solved, factors[0]), solved, factors)
    pivots = fold(jnp.add, (own[:, 0] != 0).astype(jnp.int32))
    return _put(scaled, found, number), rank + pivots
