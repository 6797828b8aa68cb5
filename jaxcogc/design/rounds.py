"""Rounds of training that the convergence bound asks for, at the best learning rate."""

from __future__ import annotations

import functools
from typing import NamedTuple

from jaxcogc.federated.convergence.bound import LocalSteps, LossConstants, rounds_for_target
from jaxcogc.federated.convergence.learning_rate import best_learning_rate
from jaxcogc.federated.convergence.partial_averages import PartialLaw, uniform_rho

__all__ = ["Accuracy", "rounds_with_holds", "rounds_with_partial_averages", "rounds_without_bias"]


class Accuracy(NamedTuple):
    """What `rounds` is about: the bound of `federated.convergence`.

    Attributes:
      target: of the mean of E||grad F||^2 over rounds.
      losses: constants of the losses.
      steps: what a round does; the best local learning rate takes the place of its own.
    """

    target: float = 0.1
    losses: LossConstants = LossConstants(1.0, 1.0, 1.0, 1.0)
    steps: LocalSteps = LocalSteps(1.0, 1.0, 5)


def rounds_with_holds(hold: float, clients: int, accuracy: Accuracy) -> int | None:
    """Rounds of a server that holds without the exact average; None where no bound holds."""
    return None if hold >= 1.0 else _rounds(hold, 0.0, clients, accuracy)


def rounds_with_partial_averages(law: PartialLaw, accuracy: Accuracy) -> int | None:
    """Rounds of a server that also takes partial averages, which must favour nobody."""
    clients = len(law.partial_pmf) - 1
    return None if law.held >= 1.0 else _rounds(law.held, uniform_rho(law), clients, accuracy)


def rounds_without_bias(rho: float, clients: int, accuracy: Accuracy) -> int | None:
    """Rounds of a server whose coefficients are fair in the mean; rho as for unbiased schemes."""
    return _rounds(0.0, rho, clients, accuracy, unbiased=True)


@functools.lru_cache(maxsize=4096)
def _rounds(
    hold: float, rho: float, clients: int, accuracy: Accuracy, *, unbiased: bool = False
) -> int | None:
    rate = best_learning_rate(
        accuracy.losses,
        accuracy.steps,
        num_clients=clients,
        target=accuracy.target,
        hold_probability=hold,
        rho=rho,
        unbiased=unbiased,
    )
    return rounds_for_target(
        accuracy.target,
        accuracy.losses,
        accuracy.steps._replace(learning_rate=rate),
        num_clients=clients,
        hold_probability=hold,
        rho=rho,
        unbiased=unbiased,
    )
