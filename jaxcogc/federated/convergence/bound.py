"""How fast training converges when rounds fail: upper bounds and their conditions.

The bounds are ours; docs/mathematics/convergence.md derives them. They hold for any aggregate that
is exact or held, and for partial averages whose coefficients have mean 1/M (see
`partial_averages`). Everything is ordinary arithmetic on the host.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from jaxcogc.links.checks import check_count

MAX_LOCAL = 1 / 8
"""Of a = learning_rate num_local_steps smoothness."""
MAX_SERVER = 1 / 2
"""Of b = server_learning_rate a."""
_DESCENT = "descent constant c"


class LossConstants(NamedTuple):
    """What the bounds assume of the clients' losses; F is their average over M clients.

    Attributes:
      smoothness: L, of every client's loss; positive.
      gradient_variance: sigma^2, the most a stochastic gradient varies; at least 0.
      heterogeneity: zeta^2, the mean over clients of ||grad F_m - grad F||^2; at least 0.
      initial_gap: F(x_0) - F*, at least 0.
    """

    smoothness: float
    gradient_variance: float
    heterogeneity: float
    initial_gap: float


class LocalSteps(NamedTuple):
    """What a round does.

    Attributes:
      learning_rate: eta, of each local step; positive.
      server_learning_rate: gamma, times the aggregate; positive.
      num_local_steps: I, at least 1.
    """

    learning_rate: float
    server_learning_rate: float = 1.0
    num_local_steps: int = 1


class Condition(NamedTuple):
    """One requirement of a bound.

    Attributes:
      name: what is compared, in words of the arguments.
      value: what it is.
      limit: what it may be at most (for "descent constant c": must exceed).
      holds: whether it does.
    """

    name: str
    value: float
    limit: float
    holds: bool


class ConvergenceBound(NamedTuple):
    """A bound on the mean of ||grad F||^2 over rounds, as four terms that add.

    Attributes:
      descent: (F(x_0) - F*) / (c gamma eta I num_rounds (1 - hold_probability)).
      drift: (5/2) I eta^2 L^2 (sigma^2 + 6 I zeta^2) / c, from more than one local step.
      noise: L gamma eta sigma^2 / (M c), from stochastic gradients.
      partial: what averages over some clients add, proportional to rho.
    """

    descent: float
    drift: float
    noise: float
    partial: float

    @property
    def floor(self) -> float:
        """What stays after infinitely many rounds."""
        return self.drift + self.noise + self.partial

    @property
    def value(self) -> float:
        """The bound."""
        return self.descent + self.floor


def check_conditions(
    losses: LossConstants, steps: LocalSteps, *, rho: float = 0.0, unbiased: bool = False
) -> tuple[Condition, ...]:
    """The requirements on step sizes, and whether they hold.

    Args:
      losses: constants of the losses.
      steps: what a round does.
      rho: spread of the coefficients of partial averages; 0 when every aggregate is exact.
      unbiased: as in `convergence_bound`.

    Returns:
      Conditions on a = eta I L, b = gamma eta I L and c = 1/2 - 15 a^2 - 60 rho b a^2.

    Raises:
      ValueError: an argument that makes no sense under any step size.
    """
    check_arguments(losses, steps, rho)
    a, b, c = _constants(losses, steps, rho)
    most = MAX_SERVER / (1 + rho) if unbiased else MAX_SERVER
    return (
        Condition("learning_rate x num_local_steps x smoothness", a, MAX_LOCAL, a <= MAX_LOCAL),
        Condition(
            "server_learning_rate x learning_rate x num_local_steps x smoothness",
            b,
            most,
            b <= most,
        ),
        Condition(_DESCENT, c, 0.0, c > 0),
    )


def convergence_bound(
    losses: LossConstants,
    steps: LocalSteps,
    *,
    num_clients: int,
    num_rounds: int,
    hold_probability: float = 0.0,
    rho: float = 0.0,
    unbiased: bool = False,
) -> ConvergenceBound:
    """An upper bound on the mean of E||grad F(x_r)||^2 over rounds r = 0 .. num_rounds - 1.

    Held rounds count as rounds.

    Args:
      losses: constants of the losses.
      steps: what a round does.
      num_clients: M.
      num_rounds: at least 1.
      hold_probability: probability that a round leaves the model as it is: the outage
        probability of standard decoding, or that of recovering nothing; in [0, 1).
      rho: M times the largest eigenvalue of E[u u^T | not held], u the coefficients less 1/M;
        0 when every aggregate is exact.
      unbiased: the coefficients have mean 1/M over all rounds and are not divided by their
        number; rho is the largest eigenvalue of Cov(M x coefficients) over M, and held rounds
        are in it: hold_probability is 0.

    Raises:
      ValueError: an argument outside what is allowed, or the first condition that fails.

    Source: docs/mathematics/convergence.md.

    >>> losses = LossConstants(1.0, gradient_variance=1.0, heterogeneity=0.0, initial_gap=1.0)
    >>> bound = convergence_bound(
    ...     losses, LocalSteps(0.1), num_clients=10, num_rounds=1000, hold_probability=0.5)
    >>> round(bound.descent, 4), round(bound.value, 4)
    (0.0571, 0.1571)
    """
    rounds = check_count("num_rounds", num_rounds)
    per_round = one_round_bound(losses, steps, num_clients, hold_probability, rho, unbiased)
    return per_round._replace(descent=per_round.descent / rounds)


def rounds_for_target(
    target: float,
    losses: LossConstants,
    steps: LocalSteps,
    *,
    num_clients: int,
    hold_probability: float = 0.0,
    rho: float = 0.0,
    unbiased: bool = False,
) -> int | None:
    """The smallest number of rounds after which the bound is at most `target`.

    Args:
      target: of the mean of E||grad F||^2, positive.
      losses, steps, num_clients, hold_probability, rho, unbiased: as in `convergence_bound`.

    Returns:
      At least 1; None when what stays after infinitely many rounds is not below the target.

    Raises:
      ValueError: as `convergence_bound`.

    >>> losses = LossConstants(1.0, gradient_variance=1.0, heterogeneity=0.0, initial_gap=1.0)
    >>> rounds_for_target(0.2, losses, LocalSteps(0.1), num_clients=10, hold_probability=0.5)
    572
    >>> rounds_for_target(0.05, losses, LocalSteps(0.1), num_clients=10) is None
    True
    """
    if not 0 < target < math.inf:
        raise ValueError(f"target = {target}: allowed is a positive, finite number")
    per_round = one_round_bound(losses, steps, num_clients, hold_probability, rho, unbiased)
    room = target - per_round.floor
    if room <= 0:
        return None
    rounds = per_round.descent / room
    return max(1, math.ceil(rounds)) if rounds < 1e300 else None


def one_round_bound(
    losses: LossConstants,
    steps: LocalSteps,
    num_clients: int,
    hold_probability: float,
    rho: float,
    unbiased: bool = False,
) -> ConvergenceBound:
    """`convergence_bound` with num_rounds = 1."""
    clients = check_count("num_clients", num_clients)
    if not 0 <= hold_probability < 1:
        raise ValueError(
            f"hold_probability = {hold_probability}: allowed is a number in [0, 1): "
            "a model that never moves has no bound"
        )
    if unbiased and hold_probability:
        raise ValueError(f"hold_probability = {hold_probability} with unbiased: allowed is 0")
    for condition in check_conditions(losses, steps, rho=rho, unbiased=unbiased):
        if not condition.holds:
            must = "above" if condition.name == _DESCENT else "at most"
            raise ValueError(
                f"{condition.name} = {condition.value:.4g}: the bound needs {must} "
                f"{condition.limit:g}; allowed is a smaller learning_rate than "
                f"{steps.learning_rate:g}"
            )
    L, variance, zeta2, gap = losses
    eta, gamma, taken = steps
    _, _, c = _constants(losses, steps, rho)
    spread = variance + 6 * taken * zeta2
    of_some = eta * variance + 2 * eta * taken * zeta2 + 10 * eta**3 * taken**2 * L**2 * spread
    return ConvergenceBound(
        descent=gap / (c * gamma * eta * taken * (1 - hold_probability)),
        drift=2.5 * taken * eta**2 * L**2 * spread / c,
        noise=(1 + rho * unbiased) * L * gamma * eta * variance / (clients * c),
        partial=L * gamma * rho * of_some / c,
    )


def _constants(losses: LossConstants, steps: LocalSteps, rho: float) -> tuple[float, float, float]:
    a = steps.learning_rate * steps.num_local_steps * losses.smoothness
    b = steps.server_learning_rate * a
    return a, b, 0.5 - 15 * a**2 - 60 * rho * b * a**2


def check_arguments(losses: LossConstants, steps: LocalSteps, rho: float) -> None:
    """Raise a ValueError for numbers that make no sense, whatever the step size."""
    values = {**losses._asdict(), **steps._asdict(), "rho": rho}
    for name in ("smoothness", "learning_rate", "server_learning_rate"):
        if not 0 < values[name] < math.inf:
            raise ValueError(f"{name} = {values[name]}: allowed is a positive, finite number")
    for name in ("gradient_variance", "heterogeneity", "initial_gap", "rho"):
        if not 0 <= values[name] < math.inf:
            raise ValueError(f"{name} = {values[name]}: allowed is a finite number of at least 0")
    check_count("num_local_steps", steps.num_local_steps)
