"""Where a plan stands after some of its rounds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxcogc.federated.rounds.experiment import RoundMetrics, TrainState
from jaxcogc.training.plan import TrainingPlan


class Trained(NamedTuple):
    """Where a plan stands; on the host.

    Attributes:
      state: parameters and server optimizer, leading axes [seeds, schemes].
      round_index: rounds that are done.
      metrics: RoundMetrics [seeds, schemes, rounds] of the whole plan; 0 where not done yet.
    """

    state: TrainState
    round_index: int
    metrics: RoundMetrics


def as_planned(plan: TrainingPlan, trained: Trained) -> Trained:
    """Where the plan would stand, had it not been begun with another number of rounds.

    Nothing else depends on that number but which rounds are evaluated: the last one always is.
    """
    total = trained.metrics.hold.shape[-1]
    spare = (np.arange(total) < trained.round_index) & ~evaluated_rounds(plan, total)
    test = {
        name: np.where(spare, np.asarray(np.nan, x.dtype), x)
        for name, x in trained.metrics.test.items()
    }
    return trained._replace(metrics=trained.metrics._replace(test=test))


def evaluated_rounds(plan: TrainingPlan, num_rounds: int) -> np.ndarray:
    """In which of the first rounds the plan tests its models: bool [rounds]."""
    number = np.arange(1, num_rounds + 1)
    return np.asarray((number % plan.settings.evaluate_every == 0) | (number == plan.rounds))


class NonFiniteUpdate(NamedTuple):
    """An update that was not finite; its round counts from 0, as metrics do."""

    round: int
    scheme: str
    seed: int
    client: int


def first_non_finite(
    plan: TrainingPlan, trained: Trained, since: int = 0
) -> NonFiniteUpdate | None:
    """The first update that was not finite in the rounds from ``since`` on; None: all were."""
    spoilt = ~trained.metrics.finite[:, :, since : trained.round_index]
    if not spoilt.any():
        return None
    number, scheme, seed, client = np.argwhere(np.transpose(spoilt, (2, 1, 0, 3)))[0]
    name = plan.settings.schemes[scheme]
    return NonFiniteUpdate(int(since + number), name, plan.seeds[seed], int(client))
