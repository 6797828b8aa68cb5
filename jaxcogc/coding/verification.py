"""Does a code keep its promise? Every constructor ends with the answer."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt

from jaxcogc._types import HostFloats, HostInts
from jaxcogc.coding.constructions import ring_matrix, support_columns
from jaxcogc.coding.host_field import rank_mod, spans_ones_mod
from jaxcogc.names import CUSTOM

__all__ = ["code_rank", "decoding_weights", "row_norms", "row_sets", "verify_code"]

_MAX_ALL_SETS = 256
_NUM_RANDOM_SETS = 128
_RANK_CUT = 1e-9
_RESIDUAL = 1e-8
_VANISHING = 1e-10


def verify_code(
    matrix: HostFloats,
    field_matrix: npt.NDArray[np.uint32],
    *,
    num_stragglers: int,
    family: str,
    modulus: int,
) -> None:
    """Check the property that a code's family promises.

    All families: the real and the field coefficients have the same zeros. Cyclic: any M - s rows
    span the all-one vector and no M - s - 1 do; cyclic MDS and custom: any M - s rows do, custom
    over the field too, as there nothing else ties the two together. All
    sets of rows are tried when they are few, else the windows of neighbouring rows and a fixed
    number of random sets. Fractional repetition: the rows of a block are equal, and one row of
    each block add up to 1. All-ones ring: what its name says. Over the field: the rank is M - s
    (cyclic families), 1 is spanned.

    Args:
      matrix: float64 [clients, clients].
      field_matrix: uint32 [clients, clients], the code over GF(modulus).
      num_stragglers: s.
      family: one of `names.FAMILIES`, or "custom".
      modulus: the prime of the field; 0: decided in float64.

    Raises:
      ValueError: a promise that is not kept.
    """
    if not np.array_equal(matrix != 0, field_matrix != 0):
        raise ValueError("the real and the field coefficients differ in their zeros")
    if family == "uncoded":
        identity = np.eye(len(matrix))
        if not (np.array_equal(matrix, identity) and np.array_equal(field_matrix, identity)):
            raise ValueError("the matrix of an uncoded scheme is the identity")
    elif family == "all-ones-ring":
        ring = ring_matrix(len(matrix), num_stragglers)
        if not (np.array_equal(matrix, ring) and np.array_equal(field_matrix, ring)):
            raise ValueError("the matrix of an all-ones ring is ones over the next s clients")
    elif family == "fractional-repetition":
        _verify_blocks(matrix, num_stragglers)
        _verify_blocks(field_matrix, num_stragglers)
    else:
        _verify_sets(matrix, num_stragglers, family)
        if modulus:  # else float64 has the last word, and said it
            _verify_field(field_matrix, num_stragglers, family, modulus)


def row_sets(generator: np.random.PCG64, num_clients: int, size: int) -> HostInts:
    """Sets of rows to look at: all when few, else cyclic windows and random sets.

    Returns:
      int64 [sets, size].
    """
    if comb(num_clients, size) <= _MAX_ALL_SETS:
        return np.array(list(combinations(range(num_clients), size)))
    windows = support_columns(num_clients, size - 1)
    words = generator.random_raw(_NUM_RANDOM_SETS * num_clients)
    order = np.argsort(words.reshape(_NUM_RANDOM_SETS, num_clients), axis=1)
    return np.sort(np.concatenate([windows, order[:, :size]]), axis=1)


def decoding_weights(
    matrix: HostFloats, sets: HostInts, rank: int
) -> tuple[HostFloats, HostFloats]:
    """The weights that combine each set of rows to the all-one vector, as well as it can.

    Args:
      matrix: float64 [clients, clients].
      sets: int64 [sets, size].
      rank: of the matrix, known from its construction.

    Returns:
      (weights, residuals): float64 [sets, size] and [sets], the latter the largest difference from
      the all-one vector.
    """
    norms = row_norms(matrix)
    unit_rows = matrix / norms[:, None]
    basis = np.linalg.svd(unit_rows)[2][:rank]
    systems = np.swapaxes((unit_rows @ basis.T)[sets], 1, 2)
    target = np.sum(basis, axis=1)
    try:  # as many coordinates as rows, unless rows of the set depend on each other
        weights = np.linalg.solve(systems, target[:, None])[..., 0]
    except np.linalg.LinAlgError:
        weights = np.einsum("nir,r->ni", np.linalg.pinv(systems), target)
    weights = weights / norms[sets]
    combined = np.einsum("ni,nik->nk", weights, matrix[sets])
    return weights, np.abs(combined - 1.0).max(axis=1)


def row_norms(matrix: HostFloats) -> HostFloats:
    """Euclidean norms of the rows, 1 for a zero row: float64 [rows]."""
    norms = np.linalg.norm(matrix, axis=1)
    return np.where(norms == 0, 1.0, norms)


def code_rank(matrix: HostFloats, num_stragglers: int, family: str) -> int:
    """Exact where the family is known over both fields; numerical for floats of the caller's."""
    if family in ("cyclic", "cyclic-mds", "all-ones-ring"):
        return len(matrix) - num_stragglers
    singular = np.linalg.svd(matrix / row_norms(matrix)[:, None], compute_uv=False)
    return int(np.sum(singular > _RANK_CUT * singular[0]))


def _verify_sets(matrix: HostFloats, num_stragglers: int, family: str) -> None:
    size = len(matrix) - num_stragglers
    sets = row_sets(np.random.PCG64(0), len(matrix), size)
    weights, residuals = decoding_weights(matrix, sets, code_rank(matrix, num_stragglers, family))
    shares = np.abs(weights) * row_norms(matrix)[sets]
    # Large weights carry the rounding of the rows into the sum.
    residuals = residuals / np.maximum(shares.sum(axis=1), 1.0)
    if not residuals.max() <= _RESIDUAL:
        worst = sets[int(np.argmax(residuals))].tolist()
        raise ValueError(
            f"rows {worst} of the matrix do not span the all-one vector: allowed is a matrix of "
            f"which any {size} rows do"
        )
    smallest = shares.min(axis=1) / shares.max(axis=1)
    if family == "cyclic" and smallest.min() < _VANISHING:
        worst = sets[int(np.argmin(smallest))].tolist()
        raise ValueError(
            f"rows {worst} of the cyclic matrix span the all-one vector with one to spare: allowed "
            f"is a matrix of which no {size - 1} rows do"
        )


def _verify_field(
    field_matrix: npt.NDArray[np.uint32], num_stragglers: int, family: str, modulus: int
) -> None:
    rank = rank_mod(field_matrix, modulus)
    allowed = len(field_matrix) - num_stragglers
    if family != CUSTOM and rank != allowed:
        raise ValueError(f"the field coefficients have rank {rank}: allowed is {allowed}")
    size = len(field_matrix) - num_stragglers
    sets = row_sets(np.random.PCG64(0), len(field_matrix), size) if family == CUSTOM else ()
    for rows in (*sets, range(len(field_matrix))):
        if not spans_ones_mod(field_matrix[list(rows)], modulus):
            raise ValueError(
                f"rows {list(map(int, rows))} of the matrix span the all-one vector only up to "
                "rounding: allowed are integers and fractions of small denominators by which they "
                "do exactly, or a family's own constructor"
            )


def _verify_blocks(matrix: npt.NDArray[np.generic], num_stragglers: int) -> None:
    size = num_stragglers + 1
    first_rows = matrix[::size]
    if not np.array_equal(np.repeat(first_rows, size, axis=0), matrix):
        raise ValueError("rows of one block differ in a fractional repetition matrix")
    if not np.array_equal(first_rows.sum(axis=0), np.ones(len(matrix))):
        raise ValueError("rows of the blocks of a fractional repetition matrix do not add up to 1")
