"""Arithmetic of a prime field GF(q), q < 2^31, on uint32 arrays and without 64-bit mode.

``mulhi`` gives the upper half of a product, so that no wider type is needed on any backend.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

MERSENNE_31 = 2**31 - 1


def multiply(a: jax.Array, b: jax.Array, modulus: int) -> jax.Array:
    """Product of two uint32 field elements below ``modulus`` (< 2^31), of broadcasting shapes.

    For q = 2^31 - 1 the product itself; for any other odd q the Montgomery product a b 2^-32 mod q,
    under which residues form the same field with ``one(modulus)`` as its unit.
    """
    a, b = jnp.broadcast_arrays(a, b)
    if modulus == MERSENNE_31:  # 2^31 = 1, so the two 31-bit halves of the product add
        total = lax.mulhi(a, b + b) + (a * b & np.uint32(MERSENNE_31))
        return jnp.minimum(total, total - np.uint32(MERSENNE_31))
    inverse = np.uint32(pow(modulus, -1, 2**32))
    quotient = a * b * inverse
    reduced = lax.mulhi(quotient, jnp.full_like(quotient, modulus))
    return subtract(lax.mulhi(a, b), reduced, modulus)


def add(a: jax.Array, b: jax.Array, modulus: int) -> jax.Array:
    """Sum of two field elements."""
    total = a + b
    return jnp.minimum(total, total - np.uint32(modulus))


def subtract(a: jax.Array, b: jax.Array, modulus: int) -> jax.Array:
    """Difference of two field elements."""
    difference = a - b
    return jnp.minimum(difference, difference + np.uint32(modulus))


def one(modulus: int) -> np.uint32:
    """The unit of ``multiply``."""
    return np.uint32(1 if modulus == MERSENNE_31 else 2**32 % modulus)


def random_elements(words: jax.Array, modulus: int) -> jax.Array:
    """Map uint32 random words to field elements, uniform to within 2^-31 (0 included)."""
    return (words >> 1) % np.uint32(modulus)
