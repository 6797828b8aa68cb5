"""Field arithmetic against Python integers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.coding.codes import cyclic_mds_code
from jaxcogc.coding.exact.prime_field import (
    MERSENNE_31,
    add,
    inverse,
    multiply,
    one,
    random_elements,
    subtract,
)

MONTGOMERY = [cyclic_mds_code(clients, 1).modulus for clients in (4, 10)]
FIELDS = [MERSENNE_31, *MONTGOMERY]


def pairs(modulus):
    """Every pair of awkward elements, and random ones."""
    source = np.random.default_rng(modulus)
    edges = {0, 1, 2, modulus // 2, modulus // 2 + 1, modulus - 2, modulus - 1, one(modulus)}
    edges |= {2**n + d for n in (8, 15, 16, 17, 24, 30) for d in (-1, 0, 1)}
    edges = np.array([e for e in edges if 0 <= e < modulus], np.uint32)
    a, b = (x.ravel() for x in np.meshgrid(edges, edges))
    random = source.integers(0, modulus, (2, 100_000), dtype=np.uint32)
    return np.concatenate([a, random[0]]), np.concatenate([b, random[1]])


def product(a, b, modulus):
    """Python integers; for Montgomery fields the product times 2^-32."""
    factor = 1 if modulus == MERSENNE_31 else pow(2**32, -1, modulus)
    return a.astype(object) * b.astype(object) * factor % modulus


EXPECTED = {
    multiply: product,
    add: lambda a, b, q: (a.astype(object) + b.astype(object)) % q,
    subtract: lambda a, b, q: (a.astype(object) - b.astype(object)) % q,
}


@pytest.mark.parametrize("modulus", FIELDS)
@pytest.mark.parametrize("operation", EXPECTED, ids=lambda f: f.__name__)
def test_equals_python_integers(operation, modulus):
    a, b = pairs(modulus)
    found = jax.jit(operation, static_argnums=2)(a, b, modulus)
    assert found.dtype == np.uint32
    # Below the modulus: zero has one form only, which decisions compare with.
    np.testing.assert_array_equal(np.asarray(found), EXPECTED[operation](a, b, modulus))


@pytest.mark.parametrize("modulus", [3, 13, 251])
def test_every_pair_of_a_small_field(modulus):
    a, b = (x.ravel() for x in np.meshgrid(*(np.arange(modulus, dtype=np.uint32),) * 2))
    for operation, expected in EXPECTED.items():
        found = np.asarray(operation(a, b, modulus))
        np.testing.assert_array_equal(found, expected(a, b, modulus))


@pytest.mark.parametrize("modulus", FIELDS)
def test_the_field_has_a_unit_and_no_divisors_of_zero(modulus):
    a, b = pairs(modulus)
    unit = np.uint32(one(modulus))
    np.testing.assert_array_equal(multiply(a, unit, modulus), a)
    found = np.asarray(multiply(a, b, modulus))
    np.testing.assert_array_equal(found == 0, (a == 0) | (b == 0))
    np.testing.assert_array_equal(np.asarray(subtract(a, b, modulus)) == 0, a == b)


def test_operands_broadcast():
    a, b = np.arange(3, dtype=np.uint32)[:, None], np.arange(5, dtype=np.uint32)
    for operation in EXPECTED:
        assert operation(a, b, MERSENNE_31).shape == (3, 5)
    np.testing.assert_array_equal(multiply(a, b, MERSENNE_31), a * b)


@pytest.mark.parametrize("modulus", [*FIELDS, 251])
def test_random_elements_cover_the_field_evenly(modulus):
    top = 2**32 - 1
    words = np.array([0, 1, 2, 3, top, top - 1, top - 2, 2 * modulus % 2**32], np.uint32)
    found = np.asarray(random_elements(words, modulus))
    assert found.dtype == np.uint32
    assert (found < modulus).all()
    assert found[0] == 0
    # A run of words as long as the field meets every element equally often, give or take one.
    length = min(2 * modulus, 2**16)
    run = np.asarray(random_elements(np.arange(length, dtype=np.uint32), modulus))
    assert set(np.unique(run, return_counts=True)[1]) == {2}
    words = np.random.default_rng(0).integers(0, 2**32, 2**16, dtype=np.uint32)
    drawn = np.asarray(random_elements(words, modulus), np.float64) / modulus
    assert abs(drawn.mean() - 0.5) < 6 * np.sqrt(1 / 12 / 2**16)
    assert abs((drawn**2).mean() - 1 / 3) < 6 * np.sqrt(4 / 45 / 2**16) + 1 / modulus


@pytest.mark.parametrize("modulus", [7, 10_007, MERSENNE_31])
def test_inverse(modulus):
    numbers = jnp.asarray(np.random.default_rng(0).integers(1, modulus, 100), jnp.uint32)
    products = multiply(numbers, inverse(numbers, modulus), modulus)
    np.testing.assert_array_equal(products, np.full(100, one(modulus)))
    assert inverse(jnp.zeros(1, jnp.uint32), modulus)[0] == 0
