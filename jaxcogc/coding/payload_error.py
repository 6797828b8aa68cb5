"""How rounding and noise in the coded sums come back in the recovered update.

A set of rows that decodes recovers sum_i a_i y_i, y_i = sum_k b_ik Delta_k. Errors of the payloads
that are independent, and of relative size e in each, give a recovered sum whose relative error is
e x amplification, with amplification = sqrt(sum_i a_i^2 ||b_i||^2 / M) (for updates of like size):
maths.md, section 2. In a short floating format coefficients are rounded too, by a fixed error.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc._types import HostFloats, Key
from jaxcogc.coding.conditioning import code_rank, decoding_weights, host_generator, row_sets
from jaxcogc.coding.encoding import encode
from jaxcogc.coding.gradient_code import GradientCode
from jaxcogc.links.draws import Links

__all__ = [
    "DecodableSets",
    "decodable_sets",
    "measured_error",
    "predicted_error",
    "rounding_error",
]


class DecodableSets(NamedTuple):
    """Sets of M - s rows, and how they decode; all of them when few, else windows and random ones.

    Attributes:
        rows: int [sets, M - s], the clients whose complete rows are used.
        weights: float64 [sets, M - s], with which they add up to the sum.
        amplification: float64 [sets]; 1 means that errors are not amplified.
    """

    rows: np.ndarray
    weights: HostFloats
    amplification: HostFloats


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
    generator = np.random.PCG64(0) if key is None else host_generator(key)
    clients, matrix = code.num_clients, np.asarray(code.matrix)
    rows = row_sets(generator, clients, clients - int(code.num_stragglers))
    weights, _ = decoding_weights(matrix, rows, code_rank(code, matrix))
    norms = np.linalg.norm(matrix, axis=1)[rows]
    amplification = np.sqrt(np.sum((weights * norms) ** 2, axis=1) / clients)
    return DecodableSets(rows, weights, amplification)


def rounding_error(dtype: Any) -> float:
    """Root mean square relative error of rounding a number to a floating format.

    Of a number whose mantissa is log-uniform: 0.4247 u, u the unit roundoff.

    >>> round(rounding_error(jnp.bfloat16), 6)
    0.001659
    """
    unit = float(jnp.finfo(dtype).eps) / 2.0
    return unit * float(np.sqrt(1.0 / (8.0 * np.log(2.0))))


def predicted_error(code: GradientCode, dtype: Any, sets: DecodableSets) -> HostFloats:
    """Relative error of the recovered sum when payloads are formed and sent in a floating format.

    Args:
        code: the code.
        dtype: a floating format, such as ``jnp.float32`` or ``jnp.bfloat16``.
        sets: the rows used, decoded in float64.

    Returns:
        float64 [sets]: root of the sum of two squares: rounding of the payloads, amplified; and
        the fixed error of coefficients rounded to the format. Rounding within the sums of a
        client is left out.
    """
    matrix = np.asarray(code.matrix)
    rounded = np.asarray(jnp.asarray(matrix, dtype).astype(jnp.float32), np.float64)
    if jnp.finfo(dtype).bits > 32:
        rounded = matrix
    drift = np.einsum("ni,nik->nk", sets.weights, (rounded - matrix)[sets.rows])
    payload = sets.amplification * rounding_error(dtype)
    return np.sqrt(payload**2 + np.mean(drift**2, axis=1))


def measured_error(
    key: Key, code: GradientCode, dtype: Any, sets: DecodableSets, *, num_params: int = 4096
) -> HostFloats:
    """The same error of real payloads: Gaussian updates, encoded in the format.

    Args:
        key: draws the updates.
        code: the code.
        dtype: the floating format of updates and payloads.
        sets: the rows used, decoded in float64.
        num_params: numbers in an update.

    Returns:
        float64 [sets].
    """
    clients = code.num_clients
    updates = jax.random.normal(key, (clients, num_params), jnp.float32).astype(dtype)
    everybody = Links(jnp.ones((1, clients), bool), jnp.ones((1, clients, clients), bool))
    payload = np.asarray(encode(code, everybody, updates).astype(jnp.float32), np.float64)
    exact = np.asarray(updates.astype(jnp.float32), np.float64).sum(axis=0)
    recovered = np.einsum("ni,nip->np", sets.weights, payload[sets.rows])
    return np.linalg.norm(recovered - exact, axis=1) / np.linalg.norm(exact)
