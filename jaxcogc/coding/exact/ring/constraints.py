"""Combinations of generic trajectories that meet linear constraints over GF(q), batch axis last.

Entry (p, i) of C says by how much trajectory i misses constraint p. As the trajectories are
generic, a constraint that does not follow from those before it can always be met by the trajectory
of its own number. So elimination needs *no pivot search*: a zero at (p, p) tells that constraint p
has vanished, and trajectory p stays free. Nothing is divided: rows and values are defined up to a
factor.
"""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array, ArrayLike
from jaxcogc.coding.exact.prime_field import add, multiply, negate, nonzero, sum_of_products
from jaxcogc.runtime.compute_once import Once, zeros_like_mesh

ROWS = 8  # constraints that are updated at once


def meet_constraints(
    once: Once,
    size: int,
    modulus: int,
    constraints: Array,
    free: Array,
    num_constraints: Array,
) -> tuple[Array, Array]:
    """A combination of the first trajectories that meets all constraints.

    Args:
      once: from `in_branches`.
      size: trajectories to combine, at least ``num_constraints``.
      modulus: the prime.
      constraints: uint32 [most, most, trials], the matrices C; zero rows where there is none.
      free: uint32 [most, trials], field elements: values of trajectories that stay free.
      num_constraints: int32, an even number: rows of C to meet.

    Returns:
      The combination, uint32 [most, trials], and the rank of C, int32 [trials].
    """
    reduced = _reduce(once, size, modulus, constraints, num_constraints)
    values, rank = _solve(once, modulus, reduced, free[:size], num_constraints)
    return jnp.concatenate([values, jnp.zeros_like(free[size:])]), rank


def indices(*places: ArrayLike) -> tuple[Array, ...]:
    """Places of a slice, of one type also in 64-bit mode."""
    return tuple(jnp.asarray(place, jnp.int32) for place in places)


def _reduce(
    once: Once, size: int, modulus: int, constraints: Array, num_constraints: Array
) -> Array:
    """Let constraint p determine trajectory p: take it out of all later constraints, two by two.

    With d the entry (p, p), 1 where that is zero, entry (q, i) of a later constraint becomes
    d C_qi - C_qp C_pi.
    """
    trials = constraints.shape[-1]

    def part(
        constraints: Array, p: Array, column: Array | int, num_rows: int, num_columns: int
    ) -> Array:
        return lax.dynamic_slice(
            constraints,
            indices(p, column, 0),
            (num_rows, num_columns, trials),
            allow_negative_indices=False,
        )

    def reduce_by(number: Array, constraints: Array) -> Array:
        p = 2 * number
        pair, corner = part(constraints, p, 0, 2, size), part(constraints, p, p, 2, 2)
        take_out = partial(_take_first_out_of_second, modulus)
        pair, corner = once(take_out, pair, corner), once(take_out, corner, corner)
        constraints = lax.dynamic_update_slice(constraints, pair, indices(p, 0, 0))

        def update_rows(chunk: Array, constraints: Array) -> Array:
            first = chunk * ROWS
            columns = part(constraints, first, p, ROWS, 2)
            factors = once(partial(_factors, modulus), corner, columns)
            later = first + np.arange(ROWS) > p + 1
            block = part(constraints, first, 0, ROWS, size)
            block = once(partial(_without_pair, modulus, later), block, pair, factors)
            return lax.dynamic_update_slice(constraints, block, indices(first, 0, 0))

        chunks = (p + 2) // ROWS, -(-num_constraints // ROWS)
        updated: Array = lax.fori_loop(*chunks, update_rows, constraints)
        return updated

    reduced: Array = lax.fori_loop(0, num_constraints // 2, reduce_by, constraints)
    return reduced


def _take_first_out_of_second(modulus: int, pair: Array, corner: Array) -> Array:
    """Two constraints; ``corner`` are their entries at their own two numbers."""
    factors = nonzero(corner[0, 0], modulus), negate(corner[1, 0], modulus)
    second = sum_of_products(zip(factors, (pair[1], pair[0]), strict=True), modulus)
    return jnp.stack([pair[0], second])


def _factors(modulus: int, corner: Array, columns: Array) -> Array:
    """Of later constraints themselves and of the two that are taken out: [3, constraints, trials].

    ``columns`` are the later constraints' entries at the two numbers.
    """
    first, second = (nonzero(corner[i, i], modulus) for i in range(2))
    crossed = [(first, columns[:, 1]), (negate(corner[0, 1], modulus), columns[:, 0])]
    of_first = negate(multiply(second, columns[:, 0], modulus), modulus)
    of_second = negate(sum_of_products(crossed, modulus), modulus)
    both = jnp.broadcast_to(multiply(first, second, modulus), of_first.shape)
    return jnp.stack([both, of_first, of_second])


def _without_pair(modulus: int, later: Array, block: Array, pair: Array, factors: Array) -> Array:
    terms = zip(factors[:, :, None], (block, pair[0], pair[1]), strict=True)
    return jnp.where(later[:, None, None], sum_of_products(terms, modulus), block)


def _solve(
    once: Once, modulus: int, reduced: Array, free: Array, num_constraints: Array
) -> tuple[Array, Array]:
    """Values that meet all reduced constraints, from the last to the first, and their number.

    ``free`` where a trajectory is not determined; uint32 [trajectories, trials].
    """

    def total_of(row: Array, values: Array, own: Array) -> Array:
        others = jnp.where(own, np.uint32(0), values)
        return sum_of_products(zip(row, others, strict=True), modulus)

    def settle(values: Array, pivot: Array, total: Array, own: Array) -> Array:
        scaled = multiply(values, nonzero(pivot, modulus), modulus)
        return jnp.where(own & (pivot != 0), negate(total, modulus), scaled)

    def step(number: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        values, rank = state
        p = num_constraints - 1 - number
        row = lax.dynamic_index_in_dim(reduced, p, keepdims=False)[: len(values)]
        pivot = lax.dynamic_index_in_dim(row, p, keepdims=False)
        own = np.arange(len(values))[:, None] == p
        total = once(total_of, row, values, own)
        return once(settle, values, pivot, total, own), rank + (pivot != 0)

    rank = zeros_like_mesh(free, free.shape[1:], jnp.int32)
    solved: tuple[Array, Array] = lax.fori_loop(0, num_constraints, step, (free, rank))
    return solved


def combined(
    once: Once, columns: Array, combination: Array, group: int, num_groups: Array, modulus: int
) -> Array:
    """Columns of numbers, one for each trajectory, added up with the factors of a combination.

    Args:
      once: from `in_branches`.
      columns: uint32 [rows, most].
      combination: uint32 [most, trials], from `meet_constraints`.
      group, num_groups: trajectories that are added at once, and how many such groups count.
      modulus: the prime.

    Returns:
      uint32 [rows, trials].
    """

    def add_up(total: Array, some: Array, factors: Array) -> Array:
        terms = ((some[:, i, None], factors[i]) for i in range(group))
        return add(total, sum_of_products(terms, modulus), modulus)

    def add_group(number: Array, total: Array) -> Array:
        some, factors = (
            lax.dynamic_slice_in_dim(x, number * group, group, axis, allow_negative_indices=False)
            for x, axis in ((columns, 1), (combination, 0))
        )
        return once(add_up, total, some, factors)

    nothing = zeros_like_mesh(combination, (len(columns), combination.shape[-1]), jnp.uint32)
    total: Array = lax.fori_loop(0, num_groups, add_group, nothing)
    return total
