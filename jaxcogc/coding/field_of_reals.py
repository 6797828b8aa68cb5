"""Real coefficients of one's own, over a prime field: with the dependencies that they have.

A float64 matrix holds most dependencies between its rows only up to rounding; taken digit by digit
into the field they would be lost, and with them what the server can recover. So some hundred random
received matrices are decided in float64 and over the field, and of several matrices over a field
the first that agrees with all of them is the code:

1. every coefficient as it is (`residue`);
2. each row divided by its first coefficient, numbers within 1e-12 of a small fraction being that;
3. the cyclic MDS code, where the rows are multiples of its rows;
4. a generic code of the same rank and the same zeros, as a cyclic code is one.

Where none agrees float64 decides every trial (`exact.float_decision`).

Integers and small fractions are exact, and not asked about; nor are matrices with a row whose
coefficients differ more than float64 can compare: they are taken as they are.

Source: docs/mathematics/null_vector.md, "Own codes".
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.coding.constructions import cyclic_mds_matrices, exact_residues
from jaxcogc.coding.host_field import (
    MERSENNE_31,
    Residues,
    random_residues,
    small_fraction,
    solve_mod,
)
from jaxcogc.coding.verification import row_norms

__all__ = ["FieldCode", "field_of_reals"]

_NEAR = 1e-12
_RANK_CUT = 1e-9
_DISTANCE = 1e-8
_WIDEST = 1e8
"""Of a row, its largest coefficient over its smallest: beyond, float64 cannot tell them from 0."""
_MOST_STACKS = 400


class FieldCode(NamedTuple):
    """uint64 [clients, clients] over GF(modulus)."""

    matrix: Residues
    modulus: int


class _Found(NamedTuple):
    """What some received matrices span, bool [stacks] and [stacks, clients]; ranks [stacks]."""

    ones: np.ndarray
    units: np.ndarray
    rank: np.ndarray


def field_of_reals(matrix: HostFloats) -> FieldCode | None:
    """The code over a field; None where none of the codes above has its dependencies.

    Args:
      matrix: float64 [clients, clients], finite.

    Raises:
      ValueError: a coefficient that is a multiple of the modulus.
    """
    as_it_is = FieldCode(exact_residues(matrix, MERSENNE_31), MERSENNE_31)
    if all(small_fraction(x) is not None for x in np.unique(matrix).tolist()) or _is_wide(matrix):
        return as_it_is
    held = _random_stacks(matrix)
    wanted = _spanned_reals(held * matrix)
    for code in (as_it_is, *_others(matrix)):
        if _agrees(code, held, wanted):
            return code
    return None


def _agrees(code: FieldCode, held: np.ndarray, wanted: _Found) -> bool:
    """Whether the received matrices span over the field what they span in float64."""
    for part in (slice(8), slice(8, None)):  # most codes that differ do so at once
        found = _spanned_mod(held[part] * code.matrix, code.modulus)
        if not all(
            np.array_equal(one, all_[part]) for one, all_ in zip(found, wanted, strict=True)
        ):
            return False
    return True


def _is_wide(matrix: HostFloats) -> bool:
    sizes = np.abs(matrix)
    least = np.where(sizes == 0, np.inf, sizes).min(axis=1)
    return bool((sizes.max(axis=1) > _WIDEST * least).any())


def _others(matrix: HostFloats) -> Iterator[FieldCode]:
    """Codes that may have the same dependencies."""
    clients = len(matrix)
    nonzero = matrix != 0
    if not nonzero.any(axis=1).all():
        return
    scaled = matrix / matrix[np.arange(clients), nonzero.argmax(axis=1)][:, None]
    values, places = np.unique(scaled, return_inverse=True)
    near = [float(Fraction(value).limit_denominator(4096)) for value in values.tolist()]
    if np.allclose(near, values, rtol=_NEAR, atol=0.0):
        fractions = np.array(near)[places].reshape(matrix.shape)
        yield FieldCode(exact_residues(fractions, MERSENNE_31), MERSENNE_31)
    stragglers = int(nonzero[0].sum()) - 1
    own = np.diagonal(matrix)
    if own.all() and 0 < stragglers < clients - 1 and (clients - stragglers) % 2:
        reals, residues, modulus = cyclic_mds_matrices(clients, stragglers)
        if np.allclose(matrix / own[:, None], reals, rtol=1e-9, atol=0.0):
            yield FieldCode(residues, modulus)
    generic = _generic(matrix)
    if generic is not None:
        yield FieldCode(generic, MERSENNE_31)


def _generic(matrix: HostFloats) -> Residues | None:
    """Random rows with the same zeros, in a random space of the same rank that holds 1.

    Rows that share no client, not even through others, are codes of their own.
    """
    from scipy.sparse.csgraph import connected_components  # a tenth of a second to import

    generator = np.random.PCG64(1)
    clients = len(matrix)
    code = np.zeros((clients, clients), np.uint64)
    graph = np.block([[np.zeros_like(matrix), matrix], [matrix.T, np.zeros_like(matrix)]]) != 0
    number, part_of = connected_components(graph, directed=False)
    for part in range(number):
        rows, columns = (np.flatnonzero(half == part) for half in np.split(part_of, 2))
        if len(rows) and len(columns):
            found = _generic_part(generator, matrix[np.ix_(rows, columns)])
            if found is None:
                return None
            code[np.ix_(rows, columns)] = found
    return code


def _generic_part(generator: np.random.PCG64, matrix: HostFloats) -> Residues | None:
    clients, q = matrix.shape[1], np.uint64(MERSENNE_31)
    singular = np.linalg.svd(matrix / row_norms(matrix)[:, None], compute_uv=False)
    checks = clients - int(np.sum(singular > _RANK_CUT * singular[0]))
    parity = random_residues(generator, (checks, clients), MERSENNE_31)
    parity[:, -1] = (parity[:, :-1].sum(axis=1) % q * (q - np.uint64(1))) % q
    code = np.zeros(matrix.shape, np.uint64)
    for row, nonzero in zip(code, matrix != 0, strict=True):
        (support,) = np.nonzero(nonzero)
        if len(support) <= checks:
            return None
        free = support[checks:]
        row[free] = random_residues(generator, free.shape, MERSENNE_31)
        if checks:
            products = parity[:, free] * row[free] % q  # sums of these stay below 2^64
            known = products.sum(axis=1) % q
            columns = support[:checks]
            solved = solve_mod(parity[None][:, :, columns], (q - known)[None] % q, MERSENNE_31)
            if solved is None:
                return None
            row[columns] = solved[0]
    return code


def _random_stacks(matrix: HostFloats) -> np.ndarray:
    """Which coefficients of two attempts arrive: bool [stacks, 2, clients, clients].

    The first stacks are the windows of neighbouring complete rows; the others have losses that are
    many or few, among the clients and on the way to the server.
    """
    clients = len(matrix)
    number = int(np.clip(1e8 // (2 * clients) ** 3, 30, _MOST_STACKS))
    source = np.random.Generator(np.random.PCG64(2))
    peer = source.uniform(size=(number, 1, 1, 1)) ** 3
    held = source.uniform(size=(number, 2, clients, clients)) >= peer
    held |= np.eye(clients, dtype=bool)
    held &= source.uniform(size=(number, 2, clients, 1)) >= source.uniform(size=(number, 1, 1, 1))
    for length, stack in zip(range(clients, 0, -1), held[: number // 2], strict=False):
        stack[:] = (np.arange(clients) < length)[:, None]
    return held


def _spanned_reals(stacks: HostFloats) -> _Found:
    """In float64: rows of length 1, singular values cut, and the distances of unit vectors."""
    number, _, _, clients = stacks.shape
    rows = stacks.reshape(number, -1, clients)
    norms = np.linalg.norm(rows, axis=2, keepdims=True)
    rows = rows / np.where(norms == 0, 1.0, norms)
    _, singular, right = np.linalg.svd(rows, full_matrices=False)
    used = singular > _RANK_CUT * singular[:, :1]
    basis = right * used[:, :, None]
    targets = np.concatenate([np.ones((1, clients)) / clients**0.5, np.eye(clients)])
    apart = targets - (targets @ basis.swapaxes(1, 2)) @ basis
    spanned = np.linalg.norm(apart, axis=2) <= _DISTANCE
    return _Found(spanned[:, 0], spanned[:, 1:], used.sum(axis=1))


def _spanned_mod(stacks: Residues, modulus: int) -> _Found:
    """By elimination over the field: reduced rows, one for each pivot."""
    number, _, _, clients = stacks.shape
    q = np.uint64(modulus)
    work = stacks.reshape(number, -1, clients).copy()
    every = np.arange(number)
    free = np.ones(work.shape[:2], bool)  # rows without a pivot
    pivots = np.zeros((number, clients), bool)
    for j in range(clients):
        able = free & (work[:, :, j] != 0)
        row, some = able.argmax(axis=1), able.any(axis=1)
        pivots[:, j] = some
        free[every[some], row[some]] = False
        lead = work[every, row]
        inverse = np.array([pow(int(x), -1, modulus) if x else 0 for x in lead[:, j]], np.uint64)
        lead = lead * (inverse * some)[:, None] % q  # nothing is subtracted where no pivot is
        factors = (q - work[:, :, j]) * some[:, None] % q
        factors[every, row] = 0
        work = (work + factors[:, :, None] * lead[:, None]) % q
        work[every[some], row[some]] = lead[some]
    reduced = np.where(free[:, :, None], np.uint64(0), work)
    ones = (reduced.sum(axis=1) % q == 1).all(axis=1)
    alone = (reduced != 0).sum(axis=2) == 1
    units = np.einsum("nr,nrk->nk", alone.astype(int), (reduced != 0).astype(int)) > 0
    return _Found(ones, units & pivots, pivots.sum(axis=1))
