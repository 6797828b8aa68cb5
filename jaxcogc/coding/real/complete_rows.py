"""The standard decoder from the few complete rows, packed together.

A complete row is the code's own, so the rows of a trial are told by their numbers: slot j holds the
j-th complete row. These rows, as columns of C^T, are factored in place of the clients (`orthogonal`
with rows and clients exchanged): the least-squares solution of C^T w^T = 1^T without its part in
the null space is the shortest, 1^T C^+. The work grows with the number of complete rows.

Slots are filled in bit-reversed order of clients: neighbouring rows of a cyclic code can be nearly
dependent. The ratio that `orthogonal` compares with 256, over 5e5 random sets of complete rows (10
to 64 clients): at most 2 for a dependent row, at least 1e6 for an independent one; in plain order
some of 64 clients fell below 2.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc._types import Array
from jaxcogc.coding.real.orthogonal import client_order, factor, ones_combination
from jaxcogc.runtime.compute_once import Once

__all__ = ["packed_weights"]


def packed_weights(matrix: Array, complete: Array, slots: int, once: Once) -> Array:
    """1^T C^+ of trials that have at most ``slots`` complete rows each.

    Args:
      matrix: float64 [trials or 1, attempts or 1, clients, clients], coefficients.
      complete: bool [trials, attempts, clients], complete rows that arrived.
      slots: what the arrays have room for; the loops end at the largest number of complete rows.
      once: runs a function so that its results are formed once.

    Returns:
      float64 [rows, trials]; exactly 0 for the other rows.
    """
    trials, attempts, clients = complete.shape
    complete = jnp.moveaxis(complete, 0, -1).reshape(-1, trials)
    order = np.add.outer(clients * np.arange(attempts), client_order(clients)).ravel()
    places = jnp.cumsum(jnp.stack([complete[row] for row in order]), axis=0, dtype=jnp.int32)
    slot = jnp.stack([places[i] for i in np.argsort(order)]) - 1
    slot = jnp.where(complete, slot, slots)
    numbers = once(lambda slot: _row_numbers(slot, slots), slot)
    columns = once(_columns, matrix, numbers)
    factors = factor(columns, once, jnp.max(places[-1]))
    weights = ones_combination(columns, factors, once)

    def unpack(slot: Array, weights: Array) -> Array:
        held = (jnp.where(slot == j, weights[j], 0.0) for j in range(slots))
        return sum(held, jnp.zeros(slot.shape, jnp.float64))

    return once(unpack, slot, weights)


def _row_numbers(slot: Array, slots: int) -> Array:
    """Row in every slot, int32 [slots, trials]; -1 in an empty one."""
    wanted = jnp.arange(slots)[:, None]
    terms = [jnp.where(slot[row] == wanted, row + 1, 0) for row in range(len(slot))]
    return sum(terms, jnp.full((slots, slot.shape[1]), -1, jnp.int32))


def _columns(matrix: Array, numbers: Array) -> Array:
    """The rows of those numbers, zero for -1: float64 [slots, clients, trials]."""
    tables = matrix.reshape(len(matrix), -1, matrix.shape[-1])
    numbers = numbers.T
    which = jnp.maximum(numbers, 0) % tables.shape[1]
    rows = tables[0][which] if len(tables) == 1 else jax.vmap(lambda t, i: t[i])(tables, which)
    return jnp.where(numbers[:, :, None] < 0, 0.0, rows).transpose(1, 2, 0)
