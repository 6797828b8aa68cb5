"""Payloads over a prime field: coded sums of residues, decoded without rounding.

What the decision over the field finds decodable is decoded here: weights of the received rows that
give the sum of all residues, by elimination. Multiplication is that of `coding.exact.prime_field`,
whose unit need not be 1; coefficients and weights are taken under it, and what is decoded is not
changed by that.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import UInt32

from jaxcogc._types import AnyArray, Array
from jaxcogc.coding.encoding import check_sizes
from jaxcogc.coding.exact.prime_field import add, inverse, multiply, one, subtract
from jaxcogc.coding.gradient_code import GradientCode
from jaxcogc.links.draws import Links
from jaxcogc.runtime.jax_settings import under_plain_settings


@under_plain_settings
def field_weights(
    code: GradientCode, links: Links, *, complete: bool = False
) -> UInt32[Array, "rows"]:
    """Weights of the received rows that give the sum of all updates; 0 where no weights do.

    Args:
      code: a GradientCode.
      links: Links of one trial.
      complete: of complete rows alone, as standard decoding uses them.

    Returns:
      uint32 [rows], elements of GF(code.modulus).
    """
    rows = _received_residues(code, links)
    if complete:
        whole = jnp.all(links.peer_delivered | (jnp.asarray(code.field_matrix) == 0), axis=-1)
        rows = jnp.where(whole.reshape(-1, 1), rows, np.uint32(0))
    q, (number, clients) = code.modulus, rows.shape
    unit = jnp.full((clients, 1), one(q), jnp.uint32)
    begin = jnp.concatenate([rows.T, unit], axis=1), jnp.zeros(clients, bool)

    def eliminate(
        column: Array, carry: tuple[tuple[Array, Array], Array]
    ) -> tuple[tuple[Array, Array], Array]:
        (work, used), pivots = carry
        able = ~used & (work[:, column] != 0)
        pivot, found = jnp.argmax(able), jnp.any(able)
        row = multiply(work[pivot], inverse(work[pivot, column], q), q)
        here = jnp.arange(clients) == pivot
        factors = jnp.where(here, 0, work[:, column]).astype(jnp.uint32)
        reduced = subtract(work, multiply(factors[:, None], row, q), q)
        reduced = jnp.where(here[:, None], row, reduced)
        work = jnp.where(found, reduced, work)
        place = jnp.where(found, pivot, clients).astype(jnp.int32)
        return (work, used | (here & found)), pivots.at[column].set(place)

    start = (begin, jnp.full(number, clients, jnp.int32))
    (work, used), pivots = lax.fori_loop(0, number, eliminate, start)
    solvable = jnp.all(used | (work[:, -1] == 0))
    weights = jnp.concatenate([work[:, -1], jnp.zeros(1, jnp.uint32)])[pivots]
    return jnp.where(solvable, weights, np.uint32(0))


@under_plain_settings
def sum_over_field(
    code: GradientCode, links: Links, weights: UInt32[Array, "rows"], residues: AnyArray
) -> Array:
    """Encode residues, lose what is lost, add up what arrived: the sum of all where weights fit.

    Args:
      code: a GradientCode.
      links: Links of one trial.
      weights: from `field_weights`.
      residues: uint32 [clients, ..], below the modulus.

    Returns:
      uint32 of the shape without clients, below the modulus.
    """
    flat = jnp.asarray(residues).reshape(len(residues), -1)
    payload = _times(_received_residues(code, links), flat, code.modulus)
    return _times(weights[None], payload, code.modulus)[0].reshape(residues.shape[1:])


def _received_residues(code: GradientCode, links: Links) -> Array:
    """R over the field, uint32 [rows, clients]."""
    check_sizes(code, links)
    delivered = links.uplink_delivered[..., None] & links.peer_delivered
    received = jnp.where(delivered, jnp.asarray(code.field_matrix), np.uint32(0))
    return received.reshape(-1, code.num_clients)


def _times(matrix: Array, values: Array, modulus: int) -> Array:
    """The product of two matrices over the field, one term after another."""

    def plus(number: Array, total: Array) -> Array:
        return add(total, multiply(matrix[:, number, None], values[number], modulus), modulus)

    nothing = jnp.zeros((len(matrix), values.shape[1]), jnp.uint32)
    product: Array = lax.fori_loop(0, len(values), plus, nothing)
    return product
