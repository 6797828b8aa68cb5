"""Null vectors over GF(q) by plain loops over the clients: compiled in a second, and slower to run.

The same elimination as `null_vector`, entry by entry and factor by factor, so that the vectors are
equal bit for bit. There every column has operations of its own, which a compiler takes seconds to
minutes over; here one loop body serves all columns and updates the whole matrix.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array
from jaxcogc.coding.exact.gram import GramTerms, gram_matrices
from jaxcogc.coding.exact.prime_field import multiply, negate, one, sum_of_products
from jaxcogc.runtime.compute_once import in_branches, zeros_like_mesh


def looped_null_vector(
    rows: Array, code: GramTerms, random: Array, modulus: int
) -> tuple[Array, Array]:
    """A random null vector of every trial's received matrix.

    Args and Returns:
      As `null_vector.null_vector`.
    """
    once = in_branches(random[0, 0] <= np.uint32(modulus))
    matrix = _whole_matrices(gram_matrices(once, rows, code, modulus))
    clients = len(matrix)
    place = np.arange(clients)[:, None]

    def pivot_of(row: Array, column: Array) -> Array:
        pivot: Array = lax.dynamic_index_in_dim(row, column, keepdims=False)
        return pivot

    def eliminate(column: Array, matrix: Array) -> Array:
        row = lax.dynamic_index_in_dim(matrix, column, keepdims=False)
        scale = _nonzero(pivot_of(row, column), modulus)
        factors = negate(row, modulus)[:, None]  # W is symmetric: its row is its column
        reduced = sum_of_products([(scale, matrix), (factors, row)], modulus)
        return jnp.where((place > column)[:, None], reduced, matrix)

    def solve(step: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        found, rank = state
        column = clients - 1 - step
        row = lax.dynamic_index_in_dim(matrix, column, keepdims=False)
        pivot, own = pivot_of(row, column), place == column
        terms = [(row[i], jnp.where(i > column, found[i], 0)) for i in range(clients)]
        solved = negate(sum_of_products(terms, modulus), modulus)
        solved = jnp.minimum(solved, solved - np.uint32(modulus))
        scaled = multiply(found, _nonzero(pivot, modulus), modulus)
        value = jnp.where(pivot == 0, found, solved)
        later = jnp.where(place > column, scaled, found)
        return jnp.where(own, value, later), rank + (pivot != 0)

    matrix = lax.fori_loop(0, clients, eliminate, matrix)
    rank = zeros_like_mesh(rows, random.shape[1:], jnp.int32)
    random = random + zeros_like_mesh(rows, random.shape, jnp.uint32)
    found: tuple[Array, Array] = lax.fori_loop(0, clients, solve, (random, rank))
    return found


def _nonzero(pivot: Array, modulus: int) -> Array:
    return jnp.where(pivot == 0, one(modulus), pivot)


def _whole_matrices(gram: Array) -> Array:
    """From diagonals around the ring, [d, j] is W(j, j + d), to the whole symmetric matrices."""
    clients = gram.shape[1]
    row, column = np.arange(clients)[:, None], np.arange(clients)
    distance = (column - row) % clients
    near = distance < len(gram)
    return gram[np.where(near, distance, clients - distance), np.where(near, row, column)]
