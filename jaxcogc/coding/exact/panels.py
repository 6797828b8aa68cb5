"""One panel of columns of a Gram matrix: its elimination, and its share of a null vector.

What `null_vector` and `panel_loops` have in common; their formulas stand in `null_vector`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import jax.numpy as jnp
import numpy as np

from jaxcogc._types import AnyArray, Array
from jaxcogc.coding.exact.prime_field import (
    multiply,
    negate,
    nonzero,
    one,
    subtract,
    sum_of_products,
)
from jaxcogc.runtime.compute_once import Once

Flags = TypeVar("Flags", AnyArray, Array)


class Panel(NamedTuple):
    """Some columns next to each other, eliminated.

    Attributes:
      rows: for its column c, uint32 [held - c, trials]: u_c, diagonal first.
      weights: for its column c, uint32 [c, trials]: what of its rows before c is added to row c.
      factors: before its column c and, at the end, behind the last, uint32 [1 + c, trials]: the
        product of all d_b, b < c; then, for every b, of those behind b.
    """

    rows: list[Array]
    weights: list[Array]
    factors: list[Array]


def panel_width(clients: int, most: int) -> int:
    """Columns of a panel, at most so many: all panels are alike, but for the last."""
    return -(-clients // -(-clients // most))


def fill_in(coupled: Flags) -> Flags:
    """Which panels rows of which later ones can hold, once all earlier ones are eliminated.

    Args:
      coupled: bool [panels, panels], symmetric: which panels rows hold together. NumPy's or JAX's.
    """
    place = np.arange(len(coupled))
    for panel in place:  # what is eliminated couples all that it was coupled to
        later = coupled[panel] & (place > panel)
        coupled = coupled | (later[:, None] & later)
    return coupled


def eliminate(once: Once, block: Array, modulus: int) -> Panel:
    """Eliminate the columns of a panel one by one.

    Args:
      once: from `in_branches`.
      block: uint32 [width, held, trials], all earlier panels eliminated; the columns that rows of
        the panel hold, its own first. What stands left of the diagonal does not matter.
      modulus: the prime.
    """
    times = partial(multiply, modulus=modulus)

    def weigh(factors: Array, *rows: Array) -> Array:
        entries = [row[len(rows) - b][None] for b, row in enumerate(rows)]
        return times(negate(factors[1:], modulus), jnp.concatenate([factors[:0], *entries]))

    def extend(factors: Array, row: Array) -> Array:
        unit = jnp.full_like(factors[:1], one(modulus))
        return jnp.concatenate([times(factors, nonzero(row[0], modulus)), unit])

    panel = Panel([], [], [jnp.full_like(block[0, :1], one(modulus))])
    for column in range(len(block)):
        panel.weights.append(once(weigh, panel.factors[-1], *panel.rows))
        add_row = partial(_row, column, column, modulus)
        step = panel.factors[-1], panel.weights[-1]
        panel.rows.append(once(add_row, block, *step, *panel.rows))
        panel.factors.append(once(extend, panel.factors[-1], panel.rows[-1]))
    return panel


def follow(once: Once, panel: Panel, block: Array, modulus: int) -> list[Array]:
    """The panel's rows at other columns, uint32 [columns, trials], by the same steps.

    Args:
      once, modulus: as in `eliminate`.
      panel: eliminated.
      block: uint32 [width, columns, trials], all earlier panels eliminated.
    """
    rows: list[Array] = []
    for column in range(len(block)):
        step = panel.factors[column], panel.weights[column]
        rows.append(once(partial(_row, column, 0, modulus), block, *step, *rows))
    return rows


def _row(
    column: int,
    start: int,
    modulus: int,
    block: Array,
    factors: Array,
    weights: Array,
    *rows: Array,
) -> Array:
    """A row of a panel; start: the place of its diagonal, where rows begin at theirs, or 0."""
    if not rows:
        return block[column]
    earlier = (row[start - b :] if start else row for b, row in enumerate(rows))
    pairs = [(factors[0], block[column, start:]), *zip(weights, earlier, strict=True)]
    return sum_of_products(pairs, modulus)


def scaled_factors(factors: Array, scale: Array, modulus: int) -> Array:
    """What a panel's rows are weighed by in a later panel, apart from their entries there.

    Worked out before the entries come in: XLA would do it again for each.

    Args:
      factors: of `Panel`, behind the last column.
      scale: uint32 [trials], the product of all d_c of the panels between.
      modulus: the prime.

    Returns:
      uint32 [width, trials].
    """
    return multiply(negate(factors[1:], modulus), scale, modulus)


def solve(
    once: Once,
    rows: Sequence[Array] | Array,
    factors: Array,
    values: Array,
    known: Array | None,
    modulus: int,
) -> Array:
    """The null vector at the columns of a panel, from the last to the first.

    Args:
      once, modulus: as in `eliminate`.
      rows: of the panel, each from its diagonal on; or uint32 [width, width, trials].
      factors: of `Panel`, behind the last column.
      values: uint32 [width, trials], for columns that are free.
      known: uint32 [width, trials], what the panel's rows make of all later columns; None: there
        are none.
    """
    times = partial(multiply, modulus=modulus)

    def prepend(
        place: int,
        found: Array,
        rows: Sequence[Array] | Array,
        factors: Array,
        values: Array,
        known: Array | None,
    ) -> Array:
        row, value = rows[place], values[place]
        pairs = list(zip(row[1 : 1 + len(found)], found, strict=True))
        if known is not None:
            pairs.append((factors[1 + place], known[place]))
        total = sum_of_products(pairs, modulus) if pairs else jnp.zeros_like(value)
        solved = subtract(jnp.zeros_like(total), total, modulus)
        value = jnp.where(row[0] == 0, value, solved)
        return jnp.concatenate([value[None], times(found, nonzero(row[0], modulus))])

    found = values[:0]
    for place in reversed(range(len(values))):
        found = once(partial(prepend, place), found, rows, factors, values, known)
    return found
