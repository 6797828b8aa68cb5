"""Real received matrices, many trials at once: an orthonormal column basis and its uses.

The columns a_k of R are orthogonalised one by one (Gram-Schmidt, every projection done twice):
R = Q U with orthonormal columns q_k where a_k is independent of the columns before it, and q_k = 0
where it is not. A running bound on the rounding error tells which; column k carries

    eta_k^2 = eps^2 ||a_k||^2 + sum_j u_jk^2 error_j^2,    error_k = eta_k / ||residual_k||,

and is independent when its residual exceeds 256 eta_k. Measured over 10^6 random received matrices
(6 to 64 clients, 1 to 3 attempts) the ratio never exceeded 1 for a dependent column and never fell
below 8e4 for an independent one. Columns are taken in bit-reversed order, because neighbouring
columns of a cyclic code can be nearly dependent.

The dependent columns give the null vectors, the independent ones a least-squares inverse, in some
thirty passes over R that vectorise over trials: no singular value decomposition of every trial.
Everywhere here the axes are (clients, rows, trials), trials last, clients in bit-reversed order.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import lax

from jaxcogc.coding.stages import Stage

__all__ = [
    "Factors",
    "client_order",
    "factor",
    "ones_weights",
    "project_ones",
    "unit_distances",
    "unit_weights",
]

_EPS = 2.0**-52
_SAFETY = 256.0
_PANEL = 16


class Factors(NamedTuple):
    """R = Q U of every trial, and the null space of R.

    Attributes:
      basis: float64 [clients, rows, trials]; q_k, orthonormal or zero.
      upper: float64 [clients, clients, trials]; [k, j] is u_jk, the part of column k along q_j.
      inverse_pivots: float64 [clients, trials]; 1 / u_kk, zero for a dependent column.
      null: float64 [clients, clients, trials]; [k] is the orthonormal null vector that a dependent
        column k adds, zero for an independent one.
    """

    basis: jax.Array
    upper: jax.Array
    inverse_pivots: jax.Array
    null: jax.Array


def client_order(num_clients: int) -> npt.NDArray[np.int64]:
    """The clients in bit-reversed order, int64 [clients].

    >>> client_order(6)
    array([0, 4, 2, 1, 5, 3])
    """
    width = max(1, (num_clients - 1).bit_length())
    reversed_bits = [int(f"{i:0{width}b}"[::-1], 2) for i in range(2**width)]
    return np.array([i for i in reversed_bits if i < num_clients])


def factor(columns: jax.Array, stage: Stage) -> Factors:
    """Factor the received matrices of all trials.

    Args:
      columns: float64 [clients, rows, trials], the columns of R.
      stage: runs a function so that its results are formed once, not in each consumer.

    Returns:
      Factors.
    """
    clients, rows, trials = columns.shape
    shapes = [(rows, trials), (clients, trials), (trials,), (trials,)]
    state = tuple(jnp.zeros((0, *shape), jnp.float64) for shape in shapes)
    for start in range(0, clients, _PANEL):
        end = min(start + _PANEL, clients)  # only columns up to here: saves half of the work
        zeros = (jnp.zeros((end - start, *shape), jnp.float64) for shape in shapes)
        state = tuple(jnp.concatenate(pair) for pair in zip(state, zeros, strict=True))
        state = lax.fori_loop(start, end, partial(_orthogonalise, columns, stage), state)
    basis, upper, inverse_pivots, _ = state
    return Factors(basis, upper, inverse_pivots, _null_vectors(upper, inverse_pivots, stage))


def _orthogonalise(columns: jax.Array, stage: Stage, k: jax.Array, state: Any) -> Any:
    basis, upper, inverse_pivots, errors = state
    column = lax.dynamic_index_in_dim(columns, k, 0, keepdims=False)
    parts = stage(_dots, basis, column)
    rest = stage(_remove, column, parts, basis)
    corrections = stage(_dots, basis, rest)
    rest = stage(_remove, rest, corrections, basis)

    def finish(column: Any, rest: Any, parts: Any, corrections: Any, errors: Any) -> Any:
        square = _sum_products(rest, rest)
        noise = _EPS**2 * _sum_products(column, column)
        noise += _sum_products(parts * parts, errors)
        inverse = jnp.where(square > _SAFETY**2 * noise, 1 / jnp.sqrt(square), 0.0)
        coefficients = jnp.zeros((upper.shape[1], *parts.shape[1:]), jnp.float64)
        coefficients = coefficients.at[: len(parts)].set(parts + corrections)
        own = jnp.arange(len(coefficients))[:, None] == k
        coefficients = jnp.where(own, square * inverse, coefficients)
        return rest * inverse, coefficients, inverse, noise * inverse * inverse

    found = stage(finish, column, rest, parts, corrections, errors)
    return tuple(
        lax.dynamic_update_index_in_dim(x, new, k, 0)
        for x, new in zip((basis, upper, inverse_pivots, errors), found, strict=True)
    )


def unit_weights(factors: Factors, stage: Stage) -> tuple[jax.Array, jax.Array]:
    """Least-squares weights for every unit vector, and how far each is from the row space.

    Returns:
      weights, float64 [clients, rows, trials]: W_k with W_k R = e_k^T where that can be solved (it
      is row k of the pseudo-inverse then); distances ||(I - P) e_k||, float64 [clients, trials],
      P the projector onto the row space.
    """
    weights = _back_substitute(factors, factors.basis, stage)
    return weights, unit_distances(factors, stage)


def unit_distances(factors: Factors, stage: Stage) -> jax.Array:
    """Distance ||(I - P) e_k|| of every unit vector from the row space, [clients, trials]."""
    return stage(lambda null: jnp.sqrt(_sum_products(null, null)), factors.null)


def project_ones(factors: Factors, stage: Stage) -> tuple[jax.Array, jax.Array]:
    """P 1, float64 [clients, trials], and the distance ||(I - P) 1||, float64 [trials]."""
    ones = jnp.ones(factors.upper.shape[1:], jnp.float64)

    def project(null: jax.Array) -> Any:
        parts = _sum([null[:, i] for i in range(len(null))])
        return _remove(ones, parts, null), jnp.sqrt(_sum_products(parts, parts))

    return stage(project, factors.null)


def ones_weights(factors: Factors, stage: Stage) -> tuple[jax.Array, jax.Array]:
    """The pseudo-inverse's weights 1^T R^+ [rows, trials], and the distance ||(I - P) 1|| [trials].

    P 1 lies in the row space, so the weights w = Q y solve U^T y = P 1 on the independent columns.
    """
    target, distance = project_ones(factors, stage)

    def substitute(k: jax.Array, found: jax.Array) -> jax.Array:
        row = lax.dynamic_index_in_dim(factors.upper, k, 0, keepdims=False)
        value = lax.dynamic_index_in_dim(target, k, 0, keepdims=False)
        inverse = lax.dynamic_index_in_dim(factors.inverse_pivots, k, 0, keepdims=False)
        value = stage(lambda *x: _remove(*x[:3]) * x[3], value, row, found, inverse)
        return lax.dynamic_update_index_in_dim(found, value, k, 0)

    combination = lax.fori_loop(0, len(target), substitute, jnp.zeros_like(target))
    return stage(lambda y, q: _sum_products(y[:, None], q), combination, factors.basis), distance


def _null_vectors(upper: jax.Array, inverse_pivots: jax.Array, stage: Stage) -> jax.Array:
    dependent = inverse_pivots == 0
    factors = Factors(upper, upper, inverse_pivots, upper)
    combinations = jnp.where(dependent[:, None], upper, 0.0).swapaxes(0, 1)
    combinations = _back_substitute(factors, combinations, stage).swapaxes(0, 1)
    own = jnp.eye(len(upper), dtype=bool)[:, :, None]
    vectors = jnp.where(own, jnp.where(dependent, 1.0, 0.0)[:, None], -combinations)

    def orthonormalise(null: jax.Array, vector: jax.Array) -> jax.Array:
        vector = stage(_normalised, vector)
        for _ in range(2):
            vector = stage(_remove, vector, stage(_dots, null, vector), null)
        return stage(_normalised, vector)

    def add(k: jax.Array, null: jax.Array) -> jax.Array:
        vector = lax.dynamic_index_in_dim(vectors, k, 0, keepdims=False)
        needed = jnp.any(lax.dynamic_index_in_dim(dependent, k, 0, keepdims=False))
        vector = lax.cond(needed, orthonormalise, lambda _, vector: vector, null, vector)
        return lax.dynamic_update_index_in_dim(null, vector, k, 0)

    return lax.fori_loop(0, len(upper), add, jnp.zeros_like(vectors))


def _back_substitute(factors: Factors, targets: jax.Array, stage: Stage) -> jax.Array:
    """Solve U x = target on the independent columns (zero elsewhere): [clients, any, trials]."""
    last = len(targets) - 1

    def substitute(step: jax.Array, found: jax.Array) -> jax.Array:
        i = last - step
        row = lax.dynamic_index_in_dim(factors.upper, i, 1, keepdims=False)
        target = lax.dynamic_index_in_dim(targets, i, 0, keepdims=False)
        inverse = lax.dynamic_index_in_dim(factors.inverse_pivots, i, 0, keepdims=False)
        target = stage(lambda *x: _remove(*x[:3]) * x[3], target, row, found, inverse)
        return lax.dynamic_update_index_in_dim(found, target, i, 0)

    return lax.fori_loop(0, last + 1, substitute, jnp.zeros_like(targets))


def _normalised(vector: jax.Array) -> jax.Array:
    square = _sum_products(vector, vector)
    return vector * jnp.where(square > 0, 1 / jnp.sqrt(square), 0.0)


def _dots(vectors: jax.Array, other: jax.Array) -> jax.Array:
    """Inner products [vectors, trials] of vectors [vectors, length, trials] with one other."""
    return _sum([vectors[:, i] * other[i] for i in range(len(other))])


def _remove(vector: jax.Array, parts: jax.Array, vectors: jax.Array) -> jax.Array:
    """vector - sum_j parts_j vectors_j; vectors [vectors, ..., trials], parts [vectors, trials]."""
    shape = (len(parts), *(1,) * (vectors.ndim - 2), parts.shape[-1])
    return vector - _sum_products(parts.reshape(shape), vectors)


def _sum_products(left: jax.Array, right: jax.Array) -> jax.Array:
    """Sum over the first axis of the product."""
    return _sum([left[i] * right[i] for i in range(len(left))])


def _sum(terms: list[jax.Array]) -> jax.Array:
    """Sum in pairs, term by term: a chain of operations that vectorises over trials.

    XLA's CPU backend compiles a reduction to a scalar loop (measured: three times slower).
    """
    while len(terms) > 1:
        pairs = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + terms[2 * len(pairs) :]
    return terms[0]
