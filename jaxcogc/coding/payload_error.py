"""How rounding in the coded sums comes back in the recovered update.

Errors of the payloads come back amplified (`conditioning`). In a short floating format the
coefficients are rounded too, which is a fixed error.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Float64

from jaxcogc._types import HostFloats, Key
from jaxcogc.coding.conditioning import DecodableSets
from jaxcogc.coding.encoding import encode
from jaxcogc.coding.gradient_code import GradientCode
from jaxcogc.links.draws import Links
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import normal

__all__ = ["measured_error", "predicted_error", "rounding_error"]


def rounding_error(dtype: DTypeLike) -> float:
    """Root mean square relative error of rounding a number to a floating format.

    Of a number whose mantissa is log-uniform: 0.4247 u, u the unit roundoff.

    >>> round(rounding_error(jnp.bfloat16), 6)
    0.001659
    """
    unit = float(jnp.finfo(dtype).eps) / 2.0
    return unit * float(np.sqrt(1.0 / (8.0 * np.log(2.0))))


def predicted_error(
    code: GradientCode, dtype: DTypeLike, sets: DecodableSets
) -> Float64[np.ndarray, "sets"]:
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
    error: HostFloats = np.sqrt(payload**2 + np.mean(drift**2, axis=1))
    return error


@under_plain_settings
def measured_error(
    key: Key,
    code: GradientCode,
    dtype: DTypeLike,
    sets: DecodableSets,
    *,
    num_params: int = 4096,
) -> Float64[np.ndarray, "sets"]:
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
    updates = normal(key, (clients, num_params), jnp.float32).astype(dtype)
    everybody = Links(jnp.ones((1, clients), bool), jnp.ones((1, clients, clients), bool))
    payload = np.asarray(encode(code, everybody, updates).astype(jnp.float32), np.float64)
    exact = np.asarray(updates.astype(jnp.float32), np.float64).sum(axis=0)
    recovered = np.einsum("ni,nip->np", sets.weights, payload[sets.rows])
    error: HostFloats = np.linalg.norm(recovered - exact, axis=1) / np.linalg.norm(exact)
    return error
