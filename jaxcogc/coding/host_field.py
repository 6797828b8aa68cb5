"""Exact linear algebra over a prime field GF(q), q < 2^31, on the host: what builds a code.

Products of two residues stay below 2^62, so NumPy's uint64 holds them.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "MERSENNE_31",
    "Residues",
    "is_prime",
    "largest_prime_one_mod",
    "random_residues",
    "rank_mod",
    "residue",
    "root_of_unity",
    "small_fraction",
    "solve_mod",
    "spans_ones_mod",
]

MERSENNE_31 = 2**31 - 1
"""The prime of all families but the cyclic MDS codes."""

Residues = npt.NDArray[np.uint64]

_LARGEST_DENOMINATOR = 4096


def is_prime(number: int) -> bool:
    """Trial division; for numbers below 2^31 that is at most 46341 steps."""
    if number < 4:
        return number >= 2
    if number % 2 == 0:
        return False
    odd = np.arange(3, int(number**0.5) + 2, 2)
    return bool(np.all(number % odd[odd * odd <= number]))


def largest_prime_one_mod(order: int) -> int:
    """The largest prime below 2^31 that is 1 mod `order`.

    Its field is the largest of that size to have roots of unity of that order.

    >>> largest_prime_one_mod(1) == 2**31 - 1, largest_prime_one_mod(10)
    (True, 2147483171)
    """
    candidate = (2**31 - 2) // order * order + 1
    while not is_prime(candidate):
        candidate -= order
    return candidate


def root_of_unity(order: int, modulus: int) -> int:
    """An element of exactly this multiplicative order in GF(modulus); order divides modulus - 1.

    >>> root = root_of_unity(10, 2147483171)
    >>> [k for k in range(1, 11) if pow(root, k, 2147483171) == 1]
    [10]
    """
    primes = [p for p in range(2, order + 1) if order % p == 0 and is_prime(p)]
    for base in range(1, modulus):
        root = pow(base, (modulus - 1) // order, modulus)
        if all(pow(root, order // p, modulus) != 1 for p in primes):
            return root
    raise ArithmeticError(f"GF({modulus}) has no element of order {order}")


def residue(value: float, modulus: int) -> int:
    """A finite float64 as an element of GF(modulus), without rounding.

    An integer is itself; a float that is the nearest one to a fraction p/q, q <= 4096, stands for
    that fraction (so 0.1 is 1/10), unless the float is so large that one in a million of its size
    is near such a fraction by chance (0.1 up to 2^25, 1/4096 up to 2^8). Any other float is what it
    is to the last bit, an integer times a power of two. All of them have a residue, since every
    prime above 4096 is prime to q.

    >>> residue(-1.0, 7919), residue(1 / 3, 7919) * 3 % 7919, residue(2.0**-60, 7919) * 2**60 % 7919
    (7918, 1, 1)
    """
    fraction = small_fraction(value) or Fraction(value)
    return fraction.numerator * pow(fraction.denominator, -1, modulus) % modulus


def small_fraction(value: float) -> Fraction | None:
    """The fraction that a float64 stands for, 0 among them, as `residue` says; None for others."""
    simple = Fraction(value).limit_denominator(_LARGEST_DENOMINATOR)
    near_by_chance = simple.denominator**2 * math.ulp(value)  # so many such fractions to a float
    return simple if float(simple) == value and near_by_chance <= 2.0**-20 else None


def random_residues(generator: np.random.PCG64, shape: tuple[int, ...], modulus: int) -> Residues:
    """Elements uniform on GF(modulus), modulus < 2^31; exactly so, by rejection."""
    count, unused = int(np.prod(shape)), np.uint64(64 - modulus.bit_length())
    found = np.zeros(0, np.uint64)
    while len(found) < count:
        words = generator.random_raw(count - len(found)) >> unused
        found = np.concatenate([found, words[words < modulus]])
    return found.reshape(shape)


def solve_mod(matrices: Any, targets: Any, modulus: int) -> Residues | None:
    """Solve a batch of square systems over GF(modulus).

    Args:
      matrices: integers below the modulus, [batch, n, n].
      targets: likewise, [batch, n].
      modulus: a prime below 2^31.

    Returns:
      uint64 [batch, n], or None when one of the matrices is singular.
    """
    q = np.uint64(modulus)
    work = np.concatenate(
        [np.asarray(matrices, np.uint64), np.asarray(targets, np.uint64)[..., None]], axis=-1
    )
    batch, n = work.shape[:2]
    every = np.arange(batch)
    for j in range(n):
        pivot = j + np.argmax(work[:, j:, j] != 0, axis=1)
        work[every, j], work[every, pivot] = work[every, pivot], work[every, j]
        if not work[:, j, j].all():
            return None
        inverse = np.array([pow(int(x), -1, modulus) for x in work[:, j, j]], np.uint64)
        work[:, j, j:] = work[:, j, j:] * inverse[:, None] % q
        factors = q - work[:, j + 1 :, j, None]
        work[:, j + 1 :, j:] = (work[:, j + 1 :, j:] + factors * work[:, None, j, j:]) % q
    solution = work[:, :, n]
    for j in range(n - 1, 0, -1):
        solution[:, :j] = (solution[:, :j] + (q - work[:, :j, j]) * solution[:, j, None]) % q
    return solution


def rank_mod(matrix: Any, modulus: int) -> int:
    """Rank of an integer matrix [rows, columns] over GF(modulus), a prime below 2^31.

    >>> rank_mod([[1, 2], [3, 6], [0, 1]], 7), rank_mod([[1, 2], [3, 6]], 7)
    (2, 1)
    """
    work, q = np.array(matrix, np.uint64) % np.uint64(modulus), np.uint64(modulus)
    rank = 0
    for column in range(work.shape[1]):
        rows = rank + np.flatnonzero(work[rank:, column])
        if not len(rows):
            continue
        work[[rank, rows[0]]] = work[[rows[0], rank]]
        inverse = np.uint64(pow(int(work[rank, column]), -1, modulus))
        work[rank] = work[rank] * inverse % q
        factors = q - work[rank + 1 :, column, None]
        work[rank + 1 :] = (work[rank + 1 :] + factors * work[rank]) % q
        rank += 1
        if rank == len(work):
            break
    return rank


def spans_ones_mod(matrix: Any, modulus: int) -> bool:
    """Whether the all-one vector lies in the row space of an integer matrix over GF(modulus)."""
    matrix = np.asarray(matrix, np.uint64)
    ones = np.ones((1, matrix.shape[1]), np.uint64)
    return rank_mod(matrix, modulus) == rank_mod(np.concatenate([matrix, ones]), modulus)
