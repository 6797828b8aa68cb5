import itertools

import numpy as np
import pytest

from jaxcogc.coding.host_field import (
    is_prime,
    largest_prime_one_mod,
    random_residues,
    rank_mod,
    residue,
    root_of_unity,
    solve_mod,
    spans_ones_mod,
)

PRIME = 2**31 - 1


def test_is_prime():
    sieve = [n for n in range(300) if n > 1 and all(n % d for d in range(2, n))]
    assert [n for n in range(300) if is_prime(n)] == sieve
    assert is_prime(PRIME)
    assert not is_prime(46337 * 46337)
    assert not is_prime(2147483629 - 2)


@pytest.mark.parametrize("order", [1, 2, 3, 10, 12, 64, 100, 127, 128])
def test_roots_of_unity(order):
    modulus = largest_prime_one_mod(order)
    assert is_prime(modulus)
    assert modulus % order == 1 % order
    assert not any(is_prime(n) for n in range(modulus + order, 2**31, order))
    root = root_of_unity(order, modulus)
    assert len({pow(root, k, modulus) for k in range(order)}) == order
    assert pow(root, order, modulus) == 1


def test_solve_against_integers():
    rng = np.random.default_rng(0)
    matrices = rng.integers(0, PRIME, (20, 6, 6))
    matrices[0, 0, 0] = 0  # a row exchange
    matrices[1] = np.eye(6)[::-1]
    solutions = rng.integers(0, PRIME, (20, 6))
    products = matrices.astype(object) * solutions.astype(object)[:, None, :]
    targets = (products.sum(axis=-1) % PRIME).astype(np.uint64)
    np.testing.assert_array_equal(solve_mod(matrices, targets, PRIME), solutions)
    matrices[3, 2] = 2 * matrices[3, 4] % PRIME
    assert solve_mod(matrices, targets, PRIME) is None


def test_rank_by_counting_the_row_space():
    rng = np.random.default_rng(1)
    for _ in range(60):
        matrix = rng.integers(0, 5, (3, 4)) * (rng.random((3, 4)) < 0.6)
        space = {
            tuple(np.array(weights) @ matrix % 5)
            for weights in itertools.product(range(5), repeat=3)
        }
        assert 5 ** rank_mod(matrix, 5) == len(space)
        assert spans_ones_mod(matrix, 5) == ((1, 1, 1, 1) in space)


def test_residues_of_floats():
    for value in (0.0, -0.0, 3.0, -2.5, 1e300, 5e-324, 0.7, 1 / 4095, np.pi):
        remainder = residue(value, PRIME)
        assert 0 <= remainder < PRIME
        assert (residue(-value, PRIME) + remainder) % PRIME == 0
    assert residue(0.7, PRIME) * 10 % PRIME == 7
    assert residue(0.1 + 0.2, PRIME) * 10 % PRIME != 3  # one bit beside the nearest float of 0.3
    numerator, denominator = (0.1 + 0.2).as_integer_ratio()
    assert residue(0.1 + 0.2, PRIME) * denominator % PRIME == numerator % PRIME


def test_random_residues_are_uniform_and_reproducible():
    draws = random_residues(np.random.PCG64(0), (200, 50), 7)
    np.testing.assert_array_equal(draws, random_residues(np.random.PCG64(0), (200, 50), 7))
    assert draws.shape == (200, 50)
    counts = np.bincount(draws.ravel().astype(int), minlength=7)
    assert len(counts) == 7
    large = random_residues(np.random.PCG64(0), (10_000,), PRIME)
    assert large.max() < PRIME
    counts = np.histogram(large / PRIME, bins=10, range=(0, 1))[0]
    assert np.sum((counts - 1000) ** 2 / 1000) < 33.7  # chi-square, 9 degrees of freedom, 1e-4
