"""The local learning rate that makes a convergence bound smallest."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from jaxcogc.federated.convergence.bound import (
    MAX_LOCAL,
    MAX_SERVER,
    LocalSteps,
    LossConstants,
    check_arguments,
    one_round_bound,
)
from jaxcogc.links.checks import check_count


def best_learning_rate(
    losses: LossConstants,
    steps: LocalSteps,
    *,
    num_clients: int,
    num_rounds: int | None = None,
    target: float | None = None,
    hold_probability: float = 0.0,
    rho: float = 0.0,
    unbiased: bool = False,
) -> float:
    """The local learning rate that makes the bound smallest, all else equal.

    Args:
      losses, num_clients, hold_probability, rho, unbiased: as in `convergence_bound`.
      steps: gives server_learning_rate and num_local_steps; its learning_rate is not used.
      num_rounds: minimise the bound after so many rounds; this or the next.
      target: minimise the number of rounds to this target.

    Returns:
      eta among those that meet the conditions, to about six digits.

    Raises:
      ValueError: as `convergence_bound`; both or neither of num_rounds and target.

    >>> losses = LossConstants(1.0, gradient_variance=1.0, heterogeneity=0.0, initial_gap=1.0)
    >>> round(best_learning_rate(losses, LocalSteps(1.0), num_clients=10, num_rounds=10**6), 5)
    0.00295
    """
    if (num_rounds is None) == (target is None):
        raise ValueError(
            f"num_rounds = {num_rounds} and target = {target}: allowed is one of the two"
        )
    if target is not None and not 0 < target < math.inf:
        raise ValueError(f"target = {target}: allowed is a positive, finite number")
    rounds = None if num_rounds is None else check_count("num_rounds", num_rounds)
    unit = LocalSteps(1.0, steps.server_learning_rate, steps.num_local_steps)
    check_arguments(losses, unit, rho)
    largest = _largest_learning_rate(losses, unit, rho, unbiased)

    def cost(log_rate: float) -> float:
        each = one_round_bound(
            losses,
            unit._replace(learning_rate=math.exp(log_rate)),
            num_clients,
            hold_probability,
            rho,
            unbiased,
        )
        if rounds is not None:
            return math.log(max(each.descent / rounds + each.floor, 1e-300))
        assert target is not None
        # Above the target: any larger cost, growing with the distance, so that the search returns.
        excess = each.floor / target
        return math.log(max(each.descent, 1e-300) / target) - (
            math.log1p(-excess) if excess < 1 else -1e3 - excess
        )

    return math.exp(_minimise(cost, math.log(largest) - 60, math.log(largest)))


def _largest_learning_rate(
    losses: LossConstants, unit: LocalSteps, rho: float, unbiased: bool
) -> float:
    """Just inside all conditions; a, b and c are monotone in eta."""
    gamma = unit.server_learning_rate
    a = min(MAX_LOCAL, MAX_SERVER / (gamma * (1 + rho * unbiased)))
    if 0.5 - 15 * a**2 - 60 * rho * gamma * a**3 <= 0:
        roots = np.roots([-60 * rho * gamma, -15.0, 0.0, 0.5])
        a = min(a, min(r.real for r in roots if abs(r.imag) < 1e-9 and r.real > 0))
    return a * (1 - 1e-9) / (unit.num_local_steps * losses.smoothness)


def _minimise(cost: Callable[[float], float], low: float, high: float) -> float:
    """The best of a grid, then golden sections around it; the ends are allowed."""
    grid = np.linspace(low, high, 601)
    best = int(np.argmin([cost(x) for x in grid]))
    left, right = grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)]
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(cost, bounds=(left, right), method="bounded", options={"xatol": 1e-9})
    candidates = [float(found.x), float(grid[best])]
    return min(candidates, key=cost)
