"""Does a code keep its promise, and how much does its decoding amplify errors?"""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np
import numpy.typing as npt

from jaxcogc._types import HostFloats, Key
from jaxcogc.coding.constructions import support_columns
from jaxcogc.coding.host_field import rank_mod, spans_ones_mod

if TYPE_CHECKING:
    from jaxcogc.coding.gradient_code import GradientCode

__all__ = ["CodeCondition", "code_rank", "condition_report", "host_generator", "verify_code"]

_MAX_ALL_SETS = 256
_NUM_RANDOM_SETS = 128
_RANK_CUT = 1e-9
_RESIDUAL = 1e-8
_VANISHING = 1e-10


class CodeCondition(NamedTuple):
    """How well a code is conditioned, over sets of M - s rows that decode.

    Attributes:
      max_coefficient: largest |b|.
      median_amplification: median over the sets of sqrt(sum_i a_i^2 ||b_i||^2 / M), a the weights
        that decode the sum from the set; 1 means that errors are not amplified.
      worst_amplification: the largest one of the sets looked at.
      decoding_residual: largest |sum_i a_i b_i - 1| over the sets and clients.
      null_residual: how far the rows are from their exact dependencies: singular value r + 1 of the
        rows scaled to unit norm over the largest one, r their rank (0 at full rank).
      num_sets: how many sets were looked at.
    """

    max_coefficient: float
    median_amplification: float
    worst_amplification: float
    decoding_residual: float
    null_residual: float
    num_sets: int


def host_generator(key: Key) -> np.random.PCG64:
    """A NumPy bit generator seeded with 128 bits of a concrete typed key, in either mode of JAX.

    Raises:
      ValueError: not a scalar typed key, or a traced one.
    """
    if isinstance(key, jax.core.Tracer):
        raise ValueError("key is traced: allowed is a concrete key, as codes are built on the host")
    dtype = getattr(key, "dtype", None)
    if dtype is None or not jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key) or key.shape != ():
        raise ValueError(f"key = {key!r}: allowed is one typed key, as of jax.random.key(seed)")
    with jax.ensure_compile_time_eval():
        words = np.asarray(jax.random.bits(key, (4,), np.uint32))
    return np.random.PCG64(np.random.SeedSequence([int(word) for word in words]))


def condition_report(code: GradientCode, key: Key | None = None) -> CodeCondition:
    """Measure the conditioning of a code.

    Args:
      code: any code; of a redrawn one, all attempts are looked at.
      key: draws the sets of rows where there are too many for all of them (beside the windows of
        neighbouring rows); by default always the same ones.

    Returns:
      CodeCondition of Python numbers.

    >>> from jaxcogc.coding.codes import uncoded
    >>> condition_report(uncoded(4))
    CodeCondition(max_coefficient=1.0, median_amplification=1.0, worst_amplification=1.0,
                  decoding_residual=0.0, null_residual=0.0, num_sets=1)
    """
    generator = np.random.PCG64(0) if key is None else host_generator(key)
    clients = code.num_clients
    sets = row_sets(generator, clients, clients - int(code.num_stragglers))
    matrices, _ = _on_host(code)
    amplifications, residuals, nulls = [], [], []
    for matrix in matrices:
        weights, residual = decoding_weights(matrix, sets, code_rank(code, matrix))
        norms = np.linalg.norm(matrix, axis=1)[sets]
        amplifications.append(np.sqrt(np.sum((weights * norms) ** 2, axis=1) / clients))
        residuals.append(residual.max())
        nulls.append(_null_residual(matrix, code_rank(code, matrix)))
    return CodeCondition(
        max_coefficient=float(np.abs(matrices).max()),
        median_amplification=float(np.median(amplifications)),
        worst_amplification=float(np.max(amplifications)),
        decoding_residual=float(max(residuals)),
        null_residual=float(max(nulls)),
        num_sets=len(sets),
    )


def verify_code(code: GradientCode) -> None:
    """Check the property that the code's family promises; every constructor ends with this.

    All families: the real and the field coefficients have the same zeros. Cyclic: any M - s rows
    span the all-one vector and no M - s - 1 do; cyclic MDS and custom: any M - s rows do. All
    sets of rows are tried when they are few, else the windows of neighbouring rows and a fixed
    number of random sets. Fractional repetition: the rows of a block are equal, and one row of
    each block add up to 1. Over the field: the rank is M - s (cyclic families), 1 is spanned.

    Raises:
      ValueError: a promise that is not kept.
    """
    matrices, fields = _on_host(code)
    if not np.array_equal(matrices != 0, fields != 0):
        raise ValueError("the real and the field coefficients differ in their zeros")
    for matrix, field_matrix in zip(matrices, fields, strict=True):
        if code.family == "uncoded":
            identity = np.eye(code.num_clients)
            if not (np.array_equal(matrix, identity) and np.array_equal(field_matrix, identity)):
                raise ValueError("the matrix of an uncoded scheme is the identity")
        elif code.family == "fractional-repetition":
            _verify_blocks(matrix, int(code.num_stragglers))
            _verify_blocks(field_matrix, int(code.num_stragglers))
        else:
            _verify_sets(code, matrix)
            _verify_field(code.family, field_matrix, int(code.num_stragglers), code.modulus)


def row_sets(generator: np.random.PCG64, num_clients: int, size: int) -> npt.NDArray[np.int64]:
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
    matrix: HostFloats, sets: npt.NDArray[np.int64], rank: int
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
    norms = _row_norms(matrix)
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


def _row_norms(matrix: HostFloats) -> HostFloats:
    norms = np.linalg.norm(matrix, axis=1)
    return np.where(norms == 0, 1.0, norms)


def code_rank(code: GradientCode, matrix: HostFloats) -> int:
    """Exact where the family is known over both fields; numerical for floats of the caller's."""
    if code.family in ("cyclic", "cyclic-mds"):
        return code.num_clients - int(code.num_stragglers)
    singular = np.linalg.svd(matrix / _row_norms(matrix)[:, None], compute_uv=False)
    return int(np.sum(singular > _RANK_CUT * singular[0]))


def _on_host(code: GradientCode) -> tuple[HostFloats, npt.NDArray[np.uint32]]:
    """Coefficients with a leading axis for the attempts of a redrawn code."""
    shape = (-1, code.num_clients, code.num_clients)
    return np.asarray(code.matrix).reshape(shape), np.asarray(code.field_matrix).reshape(shape)


def _null_residual(matrix: HostFloats, rank: int) -> float:
    singular = np.linalg.svd(matrix / _row_norms(matrix)[:, None], compute_uv=False)
    return float(singular[rank] / singular[0]) if rank < len(singular) else 0.0


def _verify_sets(code: GradientCode, matrix: HostFloats) -> None:
    size = code.num_clients - int(code.num_stragglers)
    sets = row_sets(np.random.PCG64(0), code.num_clients, size)
    weights, residuals = decoding_weights(matrix, sets, code_rank(code, matrix))
    shares = np.abs(weights) * _row_norms(matrix)[sets]
    # Large weights carry the rounding of the rows into the sum.
    residuals = residuals / np.maximum(shares.sum(axis=1), 1.0)
    if not residuals.max() <= _RESIDUAL:
        worst = sets[int(np.argmax(residuals))].tolist()
        raise ValueError(
            f"rows {worst} of the matrix do not span the all-one vector: allowed is a matrix of "
            f"which any {size} rows do"
        )
    smallest = shares.min(axis=1) / shares.max(axis=1)
    if code.family == "cyclic" and smallest.min() < _VANISHING:
        worst = sets[int(np.argmin(smallest))].tolist()
        raise ValueError(
            f"rows {worst} of the cyclic matrix span the all-one vector with one to spare: allowed "
            f"is a matrix of which no {size - 1} rows do"
        )


def _verify_field(
    family: str, field_matrix: npt.NDArray[np.uint32], stragglers: int, modulus: int
) -> None:
    rank = rank_mod(field_matrix, modulus)
    if family != "custom" and rank != len(field_matrix) - stragglers:
        raise ValueError(
            f"the field coefficients have rank {rank}: allowed is {len(field_matrix) - stragglers}"
        )
    if not spans_ones_mod(field_matrix, modulus):
        raise ValueError("the exact rows of the matrix do not span the all-one vector")


def _verify_blocks(matrix: npt.NDArray[np.generic], stragglers: int) -> None:
    size = stragglers + 1
    first_rows = matrix[::size]
    if not np.array_equal(np.repeat(first_rows, size, axis=0), matrix):
        raise ValueError("rows of one block differ in a fractional repetition matrix")
    if not np.array_equal(first_rows.sum(axis=0), np.ones(len(matrix))):
        raise ValueError("rows of the blocks of a fractional repetition matrix do not add up to 1")
