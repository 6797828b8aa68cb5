"""How much does the decoding of a code amplify errors?

A set of rows that decodes recovers sum_i a_i y_i, y_i = sum_k b_ik Delta_k. Errors of the payloads
that are independent, and of relative size e in each, give a recovered sum whose relative error is
e x amplification, with amplification = sqrt(sum_i a_i^2 ||b_i||^2 / M) (for updates of like size):
docs/mathematics/rounds.md, "Codes".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int

from jaxcogc._types import HostFloats, HostInts, Key
from jaxcogc.coding.gradient_code import GradientCode
from jaxcogc.coding.verification import code_rank, decoding_weights, row_norms, row_sets
from jaxcogc.runtime.random_words import host_generator

__all__ = ["CodeCondition", "DecodableSets", "condition_report", "decodable_sets"]


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


class DecodableSets(NamedTuple):
    """Sets of M - s rows, and how they decode; all of them when few, else windows and random ones.

    Attributes:
      rows: int [sets, M - s], the clients whose complete rows are used.
      weights: float64 [sets, M - s], with which they add up to the sum.
      amplification: float64 [sets]; 1 means that errors are not amplified.
    """

    rows: Int[np.ndarray, "sets chosen"]
    weights: Float64[np.ndarray, "sets chosen"]
    amplification: Float64[np.ndarray, "sets"]


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
    rows = _row_sets(code, key)
    matrices = np.asarray(code.matrix).reshape(-1, code.num_clients, code.num_clients)
    found = [_decode(code, matrix, rows) for matrix in matrices]
    amplifications = [sets.amplification for sets, _ in found]
    return CodeCondition(
        max_coefficient=float(np.abs(matrices).max()),
        median_amplification=float(np.median(amplifications)),
        worst_amplification=float(np.max(amplifications)),
        decoding_residual=max(residual for _, residual in found),
        null_residual=max(_null_residual(code, matrix) for matrix in matrices),
        num_sets=len(rows),
    )


def decodable_sets(code: GradientCode, key: Key | None = None) -> DecodableSets:
    """Sets of rows that decode, and their amplification of noise in the payload.

    Args:
      code: one code for all attempts.
      key: draws the sets where there are too many for all; by default always the same ones.

    Returns:
      DecodableSets; quantiles by ``numpy.quantile(sets.amplification, ...)``.

    Raises:
      ValueError: a redrawn code.

    >>> from jaxcogc.coding.codes import fractional_repetition_code
    >>> decodable_sets(fractional_repetition_code(4, 3)).amplification
    array([1., 1., 1., 1.])
    """
    if code.redrawn:
        raise ValueError("code is redrawn: allowed is one code for all attempts")
    return _decode(code, np.asarray(code.matrix), _row_sets(code, key))[0]


def _row_sets(code: GradientCode, key: Key | None) -> HostInts:
    generator = np.random.PCG64(0) if key is None else host_generator(key)
    return row_sets(generator, code.num_clients, code.num_clients - int(code.num_stragglers))


def _decode(code: GradientCode, matrix: HostFloats, rows: HostInts) -> tuple[DecodableSets, float]:
    """How the sets of rows decode, and the largest difference from the all-one vector."""
    rank = code_rank(matrix, int(code.num_stragglers), code.family)
    weights, residuals = decoding_weights(matrix, rows, rank)
    norms = np.linalg.norm(matrix, axis=1)[rows]
    amplification = np.sqrt(np.sum((weights * norms) ** 2, axis=1) / code.num_clients)
    return DecodableSets(rows, weights, amplification), float(residuals.max())


def _null_residual(code: GradientCode, matrix: HostFloats) -> float:
    rank = code_rank(matrix, int(code.num_stragglers), code.family)
    singular = np.linalg.svd(matrix / row_norms(matrix)[:, None], compute_uv=False)
    return float(singular[rank] / singular[0]) if rank < len(singular) else 0.0
