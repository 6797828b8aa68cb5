"""What trials recover, decided in float64: for codes that no field has with their dependencies.

Rows of the code are scaled to length 1. The sum, or a client, counts as recovered at a relative
distance of at most 1e-9 from the row space: no proof, as over a field, but a wide gap (`decoding`
tells how wide it was measured).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxcogc._types import Array
from jaxcogc.coding.decoding import spanned

__all__ = ["scaled_rows", "spanned_by_rows"]


def scaled_rows(words: Array) -> Array:
    """A code's rows at length 1, zero rows as they are.

    Args:
      words: uint32 [..., clients, 2], the bits of float64 coefficients.

    Returns:
      Such words again.
    """
    with jax.enable_x64(True):
        rows = lax.bitcast_convert_type(words, jnp.float64)
        largest = jnp.max(jnp.abs(rows), axis=-1, keepdims=True)
        rows = rows / jnp.where(largest == 0, 1.0, largest)  # squares of the largest overflow
        norms = jnp.sqrt(jnp.sum(rows * rows, axis=-1, keepdims=True))
        return lax.bitcast_convert_type(rows / jnp.where(norms == 0, 1.0, norms), jnp.uint32)


def spanned_by_rows(words: Array, rows: Array) -> tuple[Array, Array, Array]:
    """What received rows span.

    Args:
      words: uint32 [attempts, clients, clients, 2], from `scaled_rows`.
      rows: uint32 [words, attempts, clients, trials] packed rows, zero where erased.

    Returns:
      Whether they span the sum, bool [trials], and each client, bool [clients, trials]; their rank,
      int32 [trials].
    """
    clients = rows.shape[2]
    bits = jnp.stack([rows[n // 32] >> n % 32 & 1 != 0 for n in range(clients)], axis=2)
    receiver, sender = jnp.meshgrid(jnp.arange(clients), jnp.arange(clients), indexing="ij")
    held = bits[:, receiver, (sender - receiver) % clients]  # [attempts, clients, clients, trials]
    with jax.enable_x64(True):
        matrix = lax.bitcast_convert_type(words, jnp.float64)
        ones, units, rank = spanned(matrix[None], jnp.moveaxis(held, -1, 0))
        return ones, units.T, rank
