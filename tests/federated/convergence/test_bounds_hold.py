"""The bounds against simulated quadratics: they hold, and not by an absurd margin."""

from itertools import product
from typing import NamedTuple

import jax
import numpy as np
import pytest

from jaxcogc import Network, colrel_variance, colrel_weights, cyclic_code
from jaxcogc.federated.convergence.bound import (
    LocalSteps,
    LossConstants,
    check_conditions,
    convergence_bound,
)
from jaxcogc.federated.convergence.partial_averages import (
    DrawnRounds,
    draw_rounds,
    partial_law,
    safe_rho,
    simulated_rho,
    uniform_rho,
)
from tests.federated.ring import average_of, draw_ring, place_at_random

CLIENTS, PARAMS, ROUNDS, TRIALS = 4, 6, 80, 100
SMOOTHNESS = 2.0
CURVATURE = np.geomspace(SMOOTHNESS / 10, SMOOTHNESS, PARAMS)


class Outcome(NamedTuple):
    """A stock of coefficient vectors of rounds, and what the bound is told of them."""

    coefficients: np.ndarray  # [rounds, clients]; a held round is all zero
    hold: float
    rho: float


def outcome(rounds: DrawnRounds, rho: float) -> Outcome:
    return Outcome(rounds.weights, partial_law(rounds).held, rho)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    network = Network.homogeneous(CLIENTS, uplink_erasure=0.3, peer_erasure=0.3)
    code = cyclic_code(jax.random.key(0), CLIENTS, 1)
    schemes = ("gc", "gc_plus", "row_space")
    drawn = draw_rounds(jax.random.key(3), network, code, schemes=schemes, num_trials=5000)
    plus = drawn["gc_plus"]
    arrived = np.random.default_rng(0).random((20_000, CLIENTS)) >= 0.5
    arrivals = average_of(arrived.all(axis=1), arrived)
    always = average_of(np.ones(2, bool), np.zeros((2, CLIENTS), bool))
    return {
        "ideal": outcome(always, 0.0),
        "gc": outcome(drawn["gc"], 0.0),
        "arrivals, uniform": outcome(arrivals, uniform_rho(partial_law(arrivals))),
        "gc_plus, safe": outcome(plus, safe_rho(partial_law(plus))),
        "gc_plus, simulated": outcome(plus, simulated_rho(plus)),
    }


def simulate(seed: int, rounds: Outcome, losses: LossConstants, steps: LocalSteps):
    """Mean of ||grad F||^2 over rounds and trials, its standard error, and the true losses.

    F_m(x) = (x - c_m)^T H (x - c_m) / 2 with one H, so that zeta is the same everywhere; the
    average of the c_m is 0. Gaussian gradient noise of variance sigma^2, every start alike.
    """
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(CLIENTS, PARAMS))
    centres -= centres.mean(axis=0)
    spread = ((CURVATURE * centres) ** 2).sum(axis=1).mean()
    centres *= np.sqrt(losses.heterogeneity / spread)
    noise = np.sqrt(losses.gradient_variance / PARAMS)
    x = np.ones((TRIALS, PARAMS))
    x *= np.sqrt(losses.initial_gap / (0.5 * CURVATURE @ x[0] ** 2))
    squares = np.zeros(TRIALS)
    for _ in range(ROUNDS):
        squares += ((CURVATURE * x) ** 2).sum(axis=1)
        y = np.repeat(x[:, None], CLIENTS, axis=1)
        for _ in range(steps.num_local_steps):
            gradient = CURVATURE * (y - centres) + noise * rng.normal(size=y.shape)
            y = y - steps.learning_rate * gradient
        drawn = rounds.coefficients[rng.integers(0, len(rounds.coefficients), TRIALS)]
        x = x + steps.server_learning_rate * np.einsum("tm,tmp->tp", drawn, y - x[:, None])
    squares /= ROUNDS
    return squares.mean(), squares.std() / np.sqrt(TRIALS)


GRID = list(product((1, 4), (0.02, 0.12), (1.0, 4.0), (0.0, 1.0), (0.0, 1.0)))


@pytest.mark.slow
def test_bounds_hold_on_a_grid_and_are_not_absurd(outcomes) -> None:
    checked = tight = 0
    ratios = []
    for number, (name, rounds) in enumerate(outcomes.items()):
        for local_steps, a, gamma, variance, spread in GRID:
            losses = LossConstants(SMOOTHNESS, variance, spread, 1.0)
            steps = LocalSteps(a / (local_steps * SMOOTHNESS), gamma, local_steps)
            if not all(c.holds for c in check_conditions(losses, steps, rho=rounds.rho)):
                continue
            bound = convergence_bound(
                losses,
                steps,
                num_clients=CLIENTS,
                num_rounds=ROUNDS,
                hold_probability=rounds.hold,
                rho=rounds.rho,
            )
            measured, error = simulate(number, rounds, losses, steps)
            assert measured - 4 * error <= bound.value, (name, losses, steps)
            checked += 1
            if bound.floor < bound.descent / 10:
                tight += 1
                ratios.append(bound.value / measured)
    assert checked >= 50
    assert tight >= 10
    assert max(ratios) <= 50
    assert min(ratios) >= 1


@pytest.mark.slow
def test_a_bound_that_forgets_outages_is_violated(outcomes) -> None:
    """The check can fail: a descent term without 1 / (1 - P_O), c taken as 1."""
    losses = LossConstants(SMOOTHNESS, 0.0, 0.0, 1.0)
    steps = LocalSteps(0.12 / SMOOTHNESS, 1.0, 1)
    gc = outcomes["gc"]
    measured, error = simulate(0, gc, losses, steps)
    wrong = 0.5 * losses.initial_gap / (steps.learning_rate * ROUNDS)
    right = convergence_bound(
        losses, steps, num_clients=CLIENTS, num_rounds=ROUNDS, hold_probability=gc.hold
    )
    assert wrong < measured - 4 * error < right.value


def ring_gradient(rounds: DrawnRounds, step: float, num_rounds: int, seed: int) -> float:
    """Mean of ||grad F||^2 for F_m(x) = (x - c_m)^2 / 2, c_m a wave around the ring, from x* = 0.

    One exact local step, so zeta^2 = 1 and sigma = 0; `step` is gamma eta.
    """
    clients = rounds.weights.shape[1]
    wave = np.sqrt(2) * np.cos(2 * np.pi * np.arange(clients) / clients)
    pulls, moves = rounds.weights @ wave, ~rounds.hold
    rng = np.random.default_rng(seed)
    x = np.zeros(200)
    total = 0.0
    for _ in range(num_rounds):
        total += (x**2).mean()
        drawn = rng.integers(0, len(pulls), len(x))
        x = np.where(moves[drawn], x - step * (x - pulls[drawn]), x)
    return total / num_rounds


def test_the_uniform_rho_is_violated_by_a_fixed_cyclic_code() -> None:
    """100 clients, one straggler. The right rho holds, and random placement repairs the first."""
    fixed = draw_ring(1, 100, 0.005, 0.03, 20_000)
    law = partial_law(fixed)
    losses = LossConstants(1.0, 0.0, 1.0, 0.0)
    steps = LocalSteps(1e-4, 1000.0, 1)  # gamma eta = 0.1: all but the partial term vanish

    def bound(rho: float) -> float:
        return convergence_bound(
            losses, steps, num_clients=100, num_rounds=600, hold_probability=law.held, rho=rho
        ).value

    measured = ring_gradient(fixed, 0.1, 600, 0)
    assert measured > 1.5 * bound(uniform_rho(law))
    assert measured < bound(simulated_rho(fixed)) < bound(safe_rho(law))
    placed = place_at_random(0, fixed)
    assert ring_gradient(placed, 0.1, 600, 0) < bound(uniform_rho(law))


@pytest.mark.slow
def test_the_bound_of_unbiased_schemes_holds() -> None:
    """Relays with unlike links: rounds count as they are, held ones too."""
    lost = np.array([0.1, 0.4, 0.6, 0.7])
    network = Network(lost, 0.4 * (1 - np.eye(CLIENTS)))
    drawn = draw_rounds(
        jax.random.key(3),
        network,
        None,
        schemes=("colrel", "inverse_probability"),
        num_trials=20_000,
    )
    spread = colrel_variance(network, colrel_weights(network)).largest_eigenvalue
    rhos = {"colrel": spread / CLIENTS, "inverse_probability": np.max(lost / (1 - lost)) / CLIENTS}
    checked = 0
    for name, rho in rhos.items():
        rounds = Outcome(drawn[name].weights, 0.0, rho)
        for local_steps, a, gamma, variance, distance in GRID:
            losses = LossConstants(SMOOTHNESS, variance, distance, 1.0)
            steps = LocalSteps(a / (local_steps * SMOOTHNESS), gamma, local_steps)
            if not all(c.holds for c in check_conditions(losses, steps, rho=rho, unbiased=True)):
                continue
            settings = {"num_clients": CLIENTS, "num_rounds": ROUNDS, "rho": rho}
            bound = convergence_bound(losses, steps, unbiased=True, **settings)
            measured, error = simulate(checked, rounds, losses, steps)
            assert measured - 4 * error <= bound.value, (name, losses, steps)
            checked += 1
    assert checked >= 20
    with pytest.raises(ValueError, match="hold_probability"):
        convergence_bound(
            losses, steps, unbiased=True, num_clients=4, num_rounds=1, hold_probability=0.1
        )
