"""Arithmetic of a prime field GF(q), q < 2^31, on uint32 arrays and without 64-bit mode.

Products are put together from 16-bit limbs: measured as fast as ``lax.mulhi`` on a CPU, and it
compiles everywhere (``mulhi`` does not for several devices, nor inside a Pallas kernel).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

MERSENNE_31 = 2**31 - 1
_Q = np.uint32(MERSENNE_31)


def multiply(a: jax.Array, b: jax.Array, modulus: int) -> jax.Array:
    """Product of two uint32 field elements below ``modulus`` (< 2^31), of broadcasting shapes.

    For q = 2^31 - 1 the product itself; for any other odd q the Montgomery product a b 2^-32 mod q,
    under which residues form the same field with ``one(modulus)`` as its unit.
    """
    a, b = jnp.broadcast_arrays(a, b)
    if modulus != MERSENNE_31:
        quotient = a * b * np.uint32(pow(modulus, -1, 2**32))
        reduced = _upper_half(quotient, jnp.full_like(quotient, modulus))
        return subtract(_upper_half(a, b), reduced, modulus)
    a_high, a_low, b_high, b_low = a >> 16, a & 0xFFFF, b >> 16, b & 0xFFFF
    middle = a_high * b_low + a_low * b_high  # below 2^32, since the upper limbs have 15 bits
    low = a_low * b_low
    upper = (a_high * b_high << 1) + (middle >> 15) + (low >> 31)  # times 2^31, which is 1
    lower = ((middle & 0x7FFF) << 16) + (low & _Q)
    return add(jnp.minimum(upper, upper - _Q), jnp.minimum(lower, lower - _Q), modulus)


def _upper_half(a: jax.Array, b: jax.Array) -> jax.Array:
    """Upper 32 bits of the product of uint32 numbers."""
    a_high, a_low, b_high, b_low = a >> 16, a & 0xFFFF, b >> 16, b & 0xFFFF
    middle = a_high * b_low + (a_low * b_low >> 16)
    other = a_low * b_high + (middle & 0xFFFF)
    return a_high * b_high + (middle >> 16) + (other >> 16)


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
