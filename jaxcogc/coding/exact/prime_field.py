"""Arithmetic of a prime field GF(q), q < 2^31, on uint32 arrays in and out.

Products are formed in 64-bit integers of a local scope: nobody has to enable 64-bit mode. A sum of
products is reduced once for several terms.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array
from jaxcogc.coding.host_field import MERSENNE_31

Term = tuple[Array, Array] | tuple[Array, Array, Array]
"""Two factors, and where their product counts."""

_Q = np.uint32(MERSENNE_31)


def multiply(a: Array, b: Array, modulus: int) -> Array:
    """Product of two uint32 field elements below ``modulus`` (< 2^31), of broadcasting shapes.

    For q = 2^31 - 1 the product itself; for any other odd q the Montgomery product a b 2^-32 mod q,
    under which residues form the same field with ``one(modulus)`` as its unit.
    """
    return sum_of_products([(a, b)], modulus)


def sum_of_products(terms: Iterable[Term], modulus: int) -> Array:
    """Sum of the products (as of ``multiply``) of pairs of field elements of broadcasting shapes.

    A factor may also be ``modulus`` itself, the unreduced zero. A term (a, b, held) counts where
    ``held`` is True.
    """
    with jax.enable_x64(True):
        products = (_wide_product(*term) for term in terms)
        if modulus == MERSENNE_31:
            return _mersenne_sum(products)
        # Two products stay below modulus * 2^32, which one Montgomery reduction takes.
        wide = list(products)
        totals = [reduce(operator.add, wide[i : i + 2]) for i in range(0, len(wide), 2)]
        parts = [_montgomery(total, modulus) for total in totals]
    return reduce(partial(add, modulus=modulus), parts)


def _wide_product(a: Array, b: Array, held: Array | None = None) -> Array:
    product = a.astype(jnp.uint64) * b.astype(jnp.uint64)
    # The product is blanked, not a factor: vector units multiply under a mask at no cost.
    return product if held is None else jnp.where(held, product, np.uint64(0))


def _mersenne_sum(products: Iterator[Array]) -> Array:
    """Sum of uint64 numbers up to q^2, mod q = 2^31 - 1: 2^31 is 1, so upper bits are folded in."""
    total, bound = next(products), MERSENNE_31**2
    for product in products:
        if bound + MERSENNE_31**2 >= 2**64:
            total, bound = _fold(total), MERSENNE_31 + (bound >> 31)
        total = total + product
        bound += MERSENNE_31**2
    reduced = _fold(_fold(total)).astype(jnp.uint32)  # below 2 q: 2^64 becomes 2^33, then 2^31 + 4
    return jnp.minimum(reduced, reduced - _Q)


def _fold(x: Array) -> Array:
    return (x & np.uint64(MERSENNE_31)) + (x >> np.uint64(31))


def _montgomery(x: Array, modulus: int) -> Array:
    """The uint64 x 2^-32 mod q as uint32, for x < 2^32 q."""
    factor = np.uint64(pow(-modulus, -1, 2**32))
    low = np.uint64(2**32 - 1)
    reduced = (x + ((x & low) * factor & low) * np.uint64(modulus) >> np.uint64(32)).astype(
        jnp.uint32
    )
    return jnp.minimum(reduced, reduced - np.uint32(modulus))


def negate(a: Array, modulus: int) -> Array:
    """The negative of a field element; of 0 the unreduced zero ``modulus``."""
    return np.uint32(modulus) - a


def add(a: Array, b: Array, modulus: int) -> Array:
    """Sum of two field elements."""
    total = a + b
    return jnp.minimum(total, total - np.uint32(modulus))


def subtract(a: Array, b: Array, modulus: int) -> Array:
    """Difference of two field elements."""
    difference = a - b
    return jnp.minimum(difference, difference + np.uint32(modulus))


def one(modulus: int) -> np.uint32:
    """The unit of ``multiply``."""
    return np.uint32(1 if modulus == MERSENNE_31 else 2**32 % modulus)


def nonzero(a: Array, modulus: int) -> Array:
    """Field elements, and the unit of ``multiply`` where they are zero: factors that keep rows."""
    return jnp.where(a == 0, one(modulus), a)


def random_elements(words: Array, modulus: int) -> Array:
    """Map uint32 random words to field elements, uniform to within 2^-31 (0 included)."""
    return (words >> 1) % np.uint32(modulus)


def inverse(a: Array, modulus: int) -> Array:
    """Inverse of field elements under ``multiply``, by exponentiation; 0 for 0."""
    exponent = jnp.asarray([int(bit) for bit in bin(modulus - 2)[2:]], bool)

    def step(power: Array, bit: Array) -> tuple[Array, None]:
        square = multiply(power, power, modulus)
        return jnp.where(bit, multiply(square, a, modulus), square), None

    unit = jnp.full_like(a, one(modulus))
    power, _ = lax.scan(step, unit, exponent)
    return power
