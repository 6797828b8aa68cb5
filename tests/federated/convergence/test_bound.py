"""The bounds: their terms written out, their conditions, rounds and the best step."""

import math

import numpy as np
import pytest

from jaxcogc.federated.convergence.bound import (
    LocalSteps,
    LossConstants,
    check_conditions,
    convergence_bound,
    rounds_for_target,
)
from jaxcogc.federated.convergence.learning_rate import best_learning_rate

LOSSES = LossConstants(smoothness=2.0, gradient_variance=0.7, heterogeneity=0.3, initial_gap=1.5)
STEPS = LocalSteps(learning_rate=0.01, server_learning_rate=0.8, num_local_steps=5)


def written_out(losses, steps, M, R, P, rho):
    """The bound as one formula of the symbols."""
    L, s2, z2, gap = losses
    eta, gamma, I = steps  # noqa: E741
    a, b = eta * I * L, gamma * eta * I * L
    c = 1 / 2 - 15 * a**2 - 60 * rho * b * a**2
    phi = 5 / 2 * I * eta**2 * L**2 * (s2 + 6 * I * z2) + L * gamma * eta * s2 / M
    phi += L * gamma * rho * eta * s2 + L * gamma * rho * 2 * eta * I * z2
    phi += L * gamma * rho * 10 * eta**3 * I**2 * L**2 * (s2 + 6 * I * z2)
    return gap / (c * gamma * eta * I * R * (1 - P)) + phi / c


@pytest.mark.parametrize("rho", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("hold", [0.0, 0.8])
def test_terms_equal_the_formula(rho: float, hold: float) -> None:
    for R in (1, 1000):
        bound = convergence_bound(
            LOSSES, STEPS, num_clients=10, num_rounds=R, hold_probability=hold, rho=rho
        )
        assert bound.value == pytest.approx(written_out(LOSSES, STEPS, 10, R, hold, rho), rel=1e-12)
        assert bound.partial > 0 or rho == 0


def test_nothing_lost_is_plain_local_sgd() -> None:
    """Reddi et al.'s setting: no holding, no partial averages; and plain SGD when I = 1."""
    bound = convergence_bound(LOSSES, STEPS, num_clients=10, num_rounds=100)
    assert bound.partial == 0
    a = 0.01 * 5 * 2
    c = 0.5 - 15 * a * a
    assert bound.descent == pytest.approx(1.5 / (c * 0.8 * 0.01 * 5 * 100))
    assert bound.noise == pytest.approx(2 * 0.8 * 0.01 * 0.7 / 10 / c)
    exact = LossConstants(2.0, 0.0, 0.0, 1.5)
    gradient_descent = convergence_bound(exact, LocalSteps(1e-6), num_clients=1, num_rounds=1)
    assert gradient_descent.value == pytest.approx(2 * 1.5 / 1e-6, rel=1e-6)
    assert gradient_descent.floor == 0


def test_rounds_for_target_is_the_smallest_number() -> None:
    settings = {"num_clients": 10, "hold_probability": 0.3, "rho": 0.2}
    floor = convergence_bound(LOSSES, STEPS, num_rounds=1, **settings).floor
    for target in (1.01 * floor, 2 * floor, 100.0):
        rounds = rounds_for_target(target, LOSSES, STEPS, **settings)
        assert rounds is not None
        value = convergence_bound(LOSSES, STEPS, num_rounds=rounds, **settings).value
        assert value <= target * (1 + 1e-12)
        if rounds > 1:
            less = convergence_bound(LOSSES, STEPS, num_rounds=rounds - 1, **settings).value
            assert less > target
    assert rounds_for_target(floor, LOSSES, STEPS, **settings) is None
    assert rounds_for_target(1e9, LOSSES, STEPS, **settings) == 1


@pytest.mark.parametrize(
    ("steps", "rho", "named"),
    [
        (LocalSteps(0.015, 0.8, 5), 0.0, r"x num_local_steps x smoothness = 0.15: .*at most 0.125"),
        (LocalSteps(0.012, 5.0, 5), 0.0, r"server_learning_rate x .* = 0.6: .*at most 0.5"),
        (LocalSteps(0.0125, 4.0, 5), 1.0, r"descent constant c = -0.2.*above 0"),
    ],
)
def test_the_violated_condition_is_named(steps, rho, named) -> None:
    failed = [c for c in check_conditions(LOSSES, steps, rho=rho) if not c.holds]
    assert len(failed) == 1
    with pytest.raises(ValueError, match=named):
        convergence_bound(LOSSES, steps, num_clients=10, num_rounds=10, rho=rho)
    with pytest.raises(ValueError, match=named):
        rounds_for_target(1.0, LOSSES, steps, num_clients=10, rho=rho)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"hold_probability": 1.0}, r"hold_probability = 1.0: allowed is a number in \[0, 1\)"),
        ({"rho": -0.1}, "rho = -0.1"),
        ({"rho": math.nan}, "rho = nan"),
        ({"num_rounds": 0}, "num_rounds = 0"),
        ({"num_clients": 0}, "num_clients = 0"),
        ({"losses": LOSSES._replace(smoothness=0.0)}, "smoothness = 0.0: allowed is a positive"),
        ({"losses": LOSSES._replace(heterogeneity=-1.0)}, "heterogeneity = -1.0"),
        ({"steps": LocalSteps(0.01, 0.0, 5)}, "server_learning_rate = 0.0"),
        ({"steps": LocalSteps(0.01, 1.0, 0)}, "num_local_steps = 0"),
    ],
)
def test_bad_input(change, named) -> None:
    arguments = {"losses": LOSSES, "steps": STEPS, "num_clients": 10, "num_rounds": 10} | change
    with pytest.raises(ValueError, match=named):
        convergence_bound(**arguments)


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 1.0])
@pytest.mark.parametrize("gamma", [0.5, 30.0])
def test_best_learning_rate_against_a_fine_grid(rho: float, gamma: float) -> None:
    steps = STEPS._replace(server_learning_rate=gamma)
    settings = {"num_clients": 10, "hold_probability": 0.5, "rho": rho}
    for num_rounds in (1, 100, 10**7):
        best = best_learning_rate(LOSSES, steps, num_rounds=num_rounds, **settings)

        def value(eta, num_rounds=num_rounds):
            try:
                return convergence_bound(
                    LOSSES, steps._replace(learning_rate=eta), num_rounds=num_rounds, **settings
                ).value
            except ValueError:
                return math.inf

        grid = min(value(eta) for eta in np.geomspace(1e-9, 1.0, 4000))
        assert value(best) <= grid * (1 + 1e-9)
    best = best_learning_rate(LOSSES, steps, target=0.05, **settings)
    rates = [r for r in np.geomspace(1e-9, 1.0, 2000) if math.isfinite(value(r))]
    needed = [
        rounds_for_target(0.05, LOSSES, steps._replace(learning_rate=r), **settings) for r in rates
    ]
    ours = rounds_for_target(0.05, LOSSES, steps._replace(learning_rate=best), **settings)
    assert ours is not None
    assert ours <= min(n for n in needed if n is not None)


def test_best_learning_rate_takes_one_goal() -> None:
    with pytest.raises(ValueError, match="num_rounds = None and target = None"):
        best_learning_rate(LOSSES, STEPS, num_clients=3)
    with pytest.raises(ValueError, match=r"target = 0.0: allowed is a positive"):
        best_learning_rate(LOSSES, STEPS, num_clients=3, target=0.0)
