"""The coefficients of each family of codes: over the reals, and over a prime field.

Row m is the coded sum of client m, column k the update of client k. Sources:
docs/mathematics/rounds.md, "Codes" (cyclic: Tandon et al., ICML 2017, Algorithm 2; cyclic MDS:
Raviv et al., ICML 2018; fractional repetition: Tandon et al.).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from jaxcogc._types import HostFloats
from jaxcogc.coding.host_field import (
    Residues,
    largest_prime_one_mod,
    random_residues,
    residue,
    root_of_unity,
    solve_mod,
)

__all__ = [
    "block_matrix",
    "cyclic_matrix",
    "cyclic_mds_matrices",
    "cyclic_residues",
    "exact_residues",
    "ring_matrix",
    "support_columns",
]

_GRID = 2.0**30
_REFINEMENTS = 2


def support_columns(num_clients: int, num_stragglers: int) -> npt.NDArray[np.int64]:
    """Columns m, m + 1, .., m + s mod M of each row m: int64 [clients, stragglers + 1]."""
    return (np.arange(num_clients)[:, None] + np.arange(num_stragglers + 1)) % num_clients


def cyclic_matrix(
    generator: np.random.PCG64, num_clients: int, num_stragglers: int, num_draws: int
) -> tuple[HostFloats, HostFloats]:
    """The cyclic code of the best of `num_draws` Gaussian H: the smallest largest coefficient.

    H has independent normal entries on a grid of 2^-30, the last column minus the sum of the
    others, so H 1 = 0 holds without rounding. b_mm = 1; the s other coefficients of row m solve
    H b_m = 0, refined with a residual in extended precision, so that the dependencies between rows
    hold to the last bits of a float64 however ill-conditioned the draw.

    Args:
      generator: where the random words come from.
      num_clients: M.
      num_stragglers: s, 1 <= s <= M - 2 (the edge cases need no draw).
      num_draws: K of the best-of-K draws.

    Returns:
      (B, H): float64 [clients, clients] and [stragglers, clients].
    """
    columns = support_columns(num_clients, num_stragglers)
    best = (np.inf, np.zeros(0), np.zeros(0))
    for _ in range(num_draws):
        words = generator.random_raw(num_stragglers * num_clients) >> np.uint64(11)
        normal = ndtri((words.astype(np.float64) + 0.5) * 2.0**-53)
        parity = np.round(normal * _GRID).reshape(num_stragglers, num_clients) / _GRID
        parity[:, -1] = -parity[:, :-1].sum(axis=1)
        systems = np.moveaxis(parity[:, columns[:, 1:]], 1, 0)
        try:
            others = np.linalg.solve(systems, -parity[:, columns[:, 0]].T[..., None])[..., 0]
        except np.linalg.LinAlgError:  # pragma: no cover - a draw of measure zero
            continue
        if np.abs(others).max() < best[0]:
            best = (float(np.abs(others).max()), parity, others)
    _, parity, others = best
    systems = np.moveaxis(parity[:, columns[:, 1:]], 1, 0)
    exact = systems.astype(np.longdouble)
    for _ in range(_REFINEMENTS):
        rest = -parity[:, columns[:, 0]].T - np.sum(exact * others[:, None, :], axis=-1)
        others = others + np.linalg.solve(systems, rest.astype(np.float64)[..., None])[..., 0]
    matrix = np.zeros((num_clients, num_clients))
    matrix[np.arange(num_clients)[:, None], columns[:, 1:]] = others
    np.fill_diagonal(matrix, 1.0)
    return matrix, parity


def cyclic_residues(
    generator: np.random.PCG64, num_clients: int, num_stragglers: int, modulus: int
) -> Residues:
    """The cyclic code of a uniform H over GF(modulus): a generic member of the family.

    The same support as the real code and b_mm = 1; H is drawn anew in the rare case (about
    clients x stragglers / modulus) that a system is singular or a coefficient vanishes.

    Returns:
      uint64 [clients, clients].
    """
    columns = support_columns(num_clients, num_stragglers)
    q = np.uint64(modulus)
    while True:
        parity = random_residues(generator, (num_stragglers, num_clients), modulus)
        parity[:, -1] = (q - parity[:, :-1].sum(axis=1) % q) % q
        systems = np.moveaxis(parity[:, columns[:, 1:]], 1, 0)
        others = solve_mod(systems, (q - parity[:, columns[:, 0]].T) % q, modulus)
        if others is not None and others.all():
            break
    matrix = np.zeros((num_clients, num_clients), np.uint64)
    matrix[np.arange(num_clients)[:, None], columns[:, 1:]] = others
    np.fill_diagonal(matrix, 1)
    return matrix


def cyclic_mds_matrices(num_clients: int, num_stragglers: int) -> tuple[HostFloats, Residues, int]:
    """The cyclic MDS code over the reals, and the same code over a field with M-th roots of unity.

    Row m is the monic generator polynomial, shifted by m. Its zeros are the M-th roots of unity
    with exponents k0 .. k0 + s - 1, k0 = (M - s + 1) / 2; by the q-binomial theorem the
    coefficients are c_j = prod_{i=1..j} sin(pi (s + 1 - i) / M) / sin(pi i / M), all positive.

    Returns:
      (matrix, field_matrix, modulus): float64 and uint64 [clients, clients], and the largest prime
      below 2^31 that is 1 mod M.
    """
    modulus = largest_prime_one_mod(num_clients)
    root = root_of_unity(num_clients, modulus)
    first = (num_clients - num_stragglers + 1) // 2
    polynomial = [1]  # lowest power first
    for exponent in range(first, first + num_stragglers):
        zero = pow(root, exponent, modulus)
        shifted, scaled = [0, *polynomial], [*(-zero * c for c in polynomial), 0]
        polynomial = [(a + b) % modulus for a, b in zip(shifted, scaled, strict=True)]
    steps = np.arange(1, num_stragglers + 1) * np.pi / num_clients
    coefficients = np.concatenate([[1.0], np.cumprod(np.sin(steps[::-1]) / np.sin(steps))])
    coefficients = np.sqrt(coefficients * coefficients[::-1])  # a palindrome to the last bit
    columns = support_columns(num_clients, num_stragglers)
    rows = np.arange(num_clients)[:, None]
    matrix = np.zeros((num_clients, num_clients))
    field_matrix = np.zeros((num_clients, num_clients), np.uint64)
    matrix[rows, columns] = 1.0 if num_stragglers == num_clients - 1 else coefficients
    field_matrix[rows, columns] = polynomial
    return matrix, field_matrix, modulus


def block_matrix(num_clients: int, num_stragglers: int) -> HostFloats:
    """Fractional repetition: ones within blocks of s + 1 clients, float64 [clients, clients]."""
    block = np.arange(num_clients) // (num_stragglers + 1)
    return np.equal(block[:, None], block).astype(np.float64)


def ring_matrix(num_clients: int, num_stragglers: int) -> HostFloats:
    """Ones over a client and the next s on the ring, float64 [clients, clients]."""
    matrix = np.zeros((num_clients, num_clients))
    np.put_along_axis(matrix, support_columns(num_clients, num_stragglers), 1.0, axis=1)
    return matrix


def exact_residues(matrix: HostFloats, modulus: int) -> Residues:
    """Every coefficient of a matrix as a field element, by `residue`: uint64, the same shape.

    Raises:
      ValueError: a non-zero coefficient is a multiple of the modulus.
    """
    values, inverse = np.unique(matrix, return_inverse=True)
    residues = np.array([residue(float(value), modulus) for value in values], np.uint64)
    for value in values[(residues == 0) & (values != 0)]:
        raise ValueError(
            f"matrix has the coefficient {Fraction(float(value))}: allowed are numbers that are no "
            f"multiple of {modulus}"
        )
    return residues[inverse].reshape(matrix.shape)
