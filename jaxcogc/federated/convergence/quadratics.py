"""Quadratic losses, where everything about a scheme can be computed: its fixed point."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from jaxcogc.links.checks import check_count


def predicted_fixed_point(
    weights: Float[np.ndarray, "clients"],
    hessians: Float[np.ndarray, "clients params params"],
    centres: Float[np.ndarray, "clients params"],
    *,
    learning_rate: float,
    num_local_steps: int = 1,
) -> Float64[np.ndarray, "params"]:
    """Where a scheme's mean update vanishes on F_m(x) = (x - c_m)^T H_m (x - c_m) / 2.

    Local gradient steps from x move client m by -Q_m (x - c_m), Q_m = I - (I - eta H_m)^steps;
    the scheme adds these with its mean coefficients w_m, so the fixed point solves
    sum_m w_m Q_m (x - c_m) = 0. A common factor of the weights changes nothing.

    Args:
      weights: [clients], the mean coefficients.
      hessians: [clients, params, params], symmetric.
      centres: [clients, params], the clients' own optima.
      learning_rate: eta of the local steps.
      num_local_steps: local steps of a round.

    Returns:
      float64 [params].

    Raises:
      ValueError: shapes that do not fit, or a point that is not unique.

    >>> predicted_fixed_point(
    ...     np.array([0.75, 0.25]), np.ones((2, 1, 1)), np.array([[0.0], [1.0]]), learning_rate=0.1)
    array([0.25])
    """
    weights, hessians, centres = (np.asarray(x, np.float64) for x in (weights, hessians, centres))
    steps = check_count("num_local_steps", num_local_steps)
    clients, params = centres.shape if centres.ndim == 2 else (-1, -1)
    if weights.shape != (clients,) or hessians.shape != (clients, params, params):
        raise ValueError(
            f"weights, hessians and centres have shapes {weights.shape}, {hessians.shape} and "
            f"{centres.shape}: allowed are (clients,), (clients, params, params), (clients, params)"
        )
    eye = np.eye(params)
    moves = eye - np.linalg.matrix_power(eye - learning_rate * hessians, steps)
    total = np.einsum("m,mij->ij", weights, moves)
    if np.linalg.matrix_rank(total) < params:
        raise ValueError("the mean update vanishes at more than one point: no unique fixed point")
    return np.linalg.solve(total, np.einsum("m,mij,mj->i", weights, moves, centres))
