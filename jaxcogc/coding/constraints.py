"""Combinations of generic trajectories that meet linear constraints over GF(q), batch axis last.

Entry (p, i) of C says by how much trajectory i misses constraint p. As the trajectories are
generic, a constraint that does not follow from those before it can always be met by the trajectory
of its own number. So elimination needs *no pivot search*: a zero at (p, p) tells that constraint p
has vanished, and trajectory p stays free. Nothing is divided: rows and values are defined up to a
factor.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc.coding.field import multiply, negate, one, sum_of_products
from jaxcogc.coding.stages import Stage, zeros_like_mesh

_ROWS = 8  # constraints that are updated at once


def meet_constraints(
    stage: Stage,
    size: int,
    modulus: int,
    constraints: jax.Array,
    free: jax.Array,
    num_constraints: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """A combination of the first trajectories that meets all constraints.

    Args:
      stage: from `stages`.
      size: trajectories to combine, at least ``num_constraints``.
      modulus: the prime.
      constraints: uint32 [most, most, trials], the matrices C; zero rows where there is none.
      free: uint32 [most, trials], field elements: values of trajectories that stay free.
      num_constraints: int32, an even number: rows of C to meet.

    Returns:
      The combination, uint32 [most, trials], and the rank of C, int32 [trials].
    """
    reduced = _reduce(stage, size, modulus, constraints, num_constraints)
    values, rank = _solve(stage, modulus, reduced, free[:size], num_constraints)
    return jnp.concatenate([values, jnp.zeros_like(free[size:])]), rank


def _reduce(stage, size, modulus, constraints, num_constraints):
    """Let constraint p determine trajectory p: take it out of all later constraints, two by two.

    With d the entry (p, p), 1 where that is zero, entry (q, i) of a later constraint becomes
    d C_qi - C_qp C_pi.
    """
    trials = constraints.shape[-1]
    times, unit = partial(multiply, modulus=modulus), one(modulus)

    def part(p, column, num_rows, num_columns):
        return partial(
            lax.dynamic_slice,
            start_indices=(p, column, 0),
            slice_sizes=(num_rows, num_columns, trials),
            allow_negative_indices=False,
        )

    def nonzero(pivot):
        return jnp.where(pivot == 0, unit, pivot)

    def take_out(pair, corner):
        """Two constraints, or the corner of them, with the first taken out of the second."""
        terms = [(nonzero(corner[0, 0]), pair[1]), (negate(corner[1, 0], modulus), pair[0])]
        return jnp.stack([pair[0], sum_of_products(terms, modulus)])

    def factors_of(corner, columns):
        """Of a later constraint, and of the two in it."""
        first, second = nonzero(corner[0, 0]), nonzero(corner[1, 1])
        crossed = [(first, columns[:, 1]), (negate(corner[0, 1], modulus), columns[:, 0])]
        both = jnp.broadcast_to(times(first, second), columns[:, 0].shape)
        return jnp.stack(
            [
                both,
                negate(times(second, columns[:, 0]), modulus),
                negate(sum_of_products(crossed, modulus), modulus),
            ]
        )

    def update(later, block, pair, factors):
        terms = zip(factors[:, :, None], (block, pair[0], pair[1]), strict=True)
        return jnp.where(later[:, None, None], sum_of_products(terms, modulus), block)

    def reduce_by(number, constraints):
        p = 2 * number
        pair, corner = part(p, 0, 2, size)(constraints), part(p, p, 2, 2)(constraints)
        pair, corner = stage(take_out, pair, corner), stage(take_out, corner, corner)
        constraints = lax.dynamic_update_slice(constraints, pair, (p, 0, 0))

        def update_rows(chunk, constraints):
            first = chunk * _ROWS
            factors = stage(factors_of, corner, part(first, p, _ROWS, 2)(constraints))
            later = first + np.arange(_ROWS) > p + 1
            block = part(first, 0, _ROWS, size)(constraints)
            block = stage(partial(update, later), block, pair, factors)
            return lax.dynamic_update_slice(constraints, block, (first, 0, 0))

        return lax.fori_loop(
            (p + 2) // _ROWS, -(-num_constraints // _ROWS), update_rows, constraints
        )

    return lax.fori_loop(0, num_constraints // 2, reduce_by, constraints)


def _solve(stage, modulus, reduced, free, num_constraints):
    """Values that meet all reduced constraints, from the last to the first, and their number.

    ``free`` where a trajectory is not determined; uint32 [trajectories, trials].
    """

    def total_of(row, values, own):
        others = jnp.where(own, np.uint32(0), values)
        return sum_of_products(zip(row, others, strict=True), modulus)

    def settle(values, pivot, total, own):
        scaled = multiply(values, jnp.where(pivot == 0, one(modulus), pivot), modulus)
        return jnp.where(own & (pivot != 0), negate(total, modulus), scaled)

    def step(number, state):
        values, rank = state
        p = num_constraints - 1 - number
        row = lax.dynamic_index_in_dim(reduced, p, keepdims=False)[: len(values)]
        pivot = lax.dynamic_index_in_dim(row, p, keepdims=False)
        own = np.arange(len(values))[:, None] == p
        total = stage(total_of, row, values, own)
        return stage(settle, values, pivot, total, own), rank + (pivot != 0)

    rank = zeros_like_mesh(jax.ShapeDtypeStruct(free.shape[1:], jnp.int32), free)
    return lax.fori_loop(0, num_constraints, step, (free, rank))
